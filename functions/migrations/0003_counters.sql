-- MySQL counts: an order is counted in the transaction that inserts it.
-- Names are bytes, because a collation that pads would merge `Tea` and `Tea `.
CREATE TABLE IF NOT EXISTS counters (
  name VARBINARY(2100) PRIMARY KEY,
  value BIGINT NOT NULL,
  version BIGINT NOT NULL,
  corrections BIGINT NOT NULL DEFAULT 0
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

-- Which transaction counted a row: 0 for the rows of before, which are counted when this migration ends; NULL for a row
-- that nobody has counted yet. Both changes of the table are instant. Between them the table is locked: a row of
-- that moment would get the 0 of the rows of before. A row without an identity is named first, and counted then.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'recorded_in') = 0,
              'ALTER TABLE orders ADD COLUMN recorded_in BIGINT NULL DEFAULT 0', 'DO 0');
PREPARE change_table FROM @ddl;
LOCK TABLES orders WRITE;
EXECUTE change_table;
ALTER TABLE orders ALTER recorded_in SET DEFAULT NULL;
UPDATE orders SET recorded_in = NULL WHERE order_id IS NULL;
UNLOCK TABLES;

-- What is not counted yet, and what was recorded lately.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.statistics
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND index_name = 'orders_recorded_in') = 0,
              'ALTER TABLE orders ADD INDEX orders_recorded_in (recorded_in)', 'DO 0');
PREPARE change_table FROM @ddl;
EXECUTE change_table;
DEALLOCATE PREPARE change_table;
