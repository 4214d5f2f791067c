-- State of an order. Existing rows keep `state` NULL and version 0: no screen shows them. Later rows get version 1,
-- also from releases without states. The table is locked between both changes, which are instant. The column's
-- comment ends with the last existing id: if the migration stops between the changes, the next run sets the first
-- state of the rows that were inserted since.
LOCK TABLES orders WRITE;
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'state') = 0,
              CONCAT('ALTER TABLE orders ADD COLUMN state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NULL,
                 ADD COLUMN state_version BIGINT NOT NULL DEFAULT 0 COMMENT "0 up to id ',
                     (SELECT COALESCE(MAX(id), 0) FROM orders), '",
                 ADD COLUMN state_at DATETIME(3) NULL,
                 ADD COLUMN ready_at DATETIME(3) NULL'), 'DO 0');
PREPARE change_table FROM @ddl;
EXECUTE change_table;
SELECT NULLIF(SUBSTRING_INDEX(column_comment, ' ', -1), '') INTO @last_of_before FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'state_version';
UPDATE orders SET state = 'received', state_version = 1, state_at = COALESCE(created_at, UTC_TIMESTAMP(3))
WHERE id > CAST(@last_of_before AS UNSIGNED) AND state_version = 0;
ALTER TABLE orders ALTER state_version SET DEFAULT 1;
UNLOCK TABLES;

-- Open orders, and orders that were moved recently; built while orders come in. The last two columns identify
-- delayed orders without reading the rows.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.statistics
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND index_name = 'orders_open') = 0,
              'ALTER TABLE orders ADD INDEX orders_open (state, state_at, state_version, recorded_in)', 'DO 0');
PREPARE change_table FROM @ddl;
EXECUTE change_table;
DEALLOCATE PREPARE change_table;

-- The changes of an order, whose first version is the row itself. `order_row` is `orders.id`.
CREATE TABLE IF NOT EXISTS order_events (
  order_row BIGINT UNSIGNED NOT NULL,
  version BIGINT NOT NULL,
  from_state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  to_state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at DATETIME(3) NOT NULL,
  actor VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  key_hash BINARY(32) NULL,
  request_hash BINARY(32) NULL,
  PRIMARY KEY (order_row, version),
  UNIQUE INDEX order_events_key (order_row, key_hash),
  INDEX order_events_at (at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
