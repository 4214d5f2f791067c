-- Counters; an order is counted in the transaction that inserts it.
-- Names are bytes, because a collation that pads would merge `Tea` and `Tea `.
CREATE TABLE IF NOT EXISTS counters (
  name VARBINARY(2100) PRIMARY KEY,
  value BIGINT NOT NULL,
  version BIGINT NOT NULL,
  corrections BIGINT NOT NULL DEFAULT 0
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

-- Number of the transaction that counted a row: 0 for existing rows, which are counted after the migrations; NULL for
-- uncounted rows. Both changes of the table are instant. The table is locked between them, so that no new row gets
-- the 0. Rows without an order id are counted once they have one.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'recorded_in') = 0,
              'ALTER TABLE orders ADD COLUMN recorded_in BIGINT NULL DEFAULT 0', 'DO 0');
PREPARE change_table FROM @ddl;
LOCK TABLES orders WRITE;
EXECUTE change_table;
ALTER TABLE orders ALTER recorded_in SET DEFAULT NULL;
UPDATE orders SET recorded_in = NULL WHERE order_id IS NULL;
UNLOCK TABLES;

-- Uncounted rows, and rows that were recorded recently.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.statistics
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND index_name = 'orders_recorded_in') = 0,
              'ALTER TABLE orders ADD INDEX orders_recorded_in (recorded_in)', 'DO 0');
PREPARE change_table FROM @ddl;
EXECUTE change_table;
DEALLOCATE PREPARE change_table;
