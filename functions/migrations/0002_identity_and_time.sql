-- Converts any existing `orders` table and keeps its rows. MySQL has no ADD COLUMN IF NOT EXISTS, so each change
-- is made only if information_schema lacks it.

-- Rows without a time get none: the time of this migration would look like a real one.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'created_at') = 0,
              'ALTER TABLE orders ADD COLUMN created_at TIMESTAMP(3) NULL', 'DO 0');
PREPARE change_table FROM @ddl;
EXECUTE change_table;
ALTER TABLE orders MODIFY created_at TIMESTAMP(3) NULL DEFAULT CURRENT_TIMESTAMP(3);

-- Names are any text, compared exactly, as DynamoDB does; no column gets narrower.
SELECT CONCAT('ALTER TABLE orders MODIFY item VARCHAR(', GREATEST(100, MAX(character_maximum_length)),
              ') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin') INTO @ddl
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'item';
PREPARE change_table FROM @ddl;
EXECUTE change_table;
SELECT CONCAT('ALTER TABLE orders MODIFY customer_name VARCHAR(', GREATEST(100, MAX(character_maximum_length)),
              ') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin') INTO @ddl
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'customer_name';
PREPARE change_table FROM @ddl;
EXECUTE change_table;

-- Order id. Binary, because "A1" and "a1" are two orders. Nullable, so that an older worker can still insert rows;
-- they get an order id when this runs.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'order_id') = 0,
              'ALTER TABLE orders ADD COLUMN order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL',
              'ALTER TABLE orders MODIFY order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL');
PREPARE change_table FROM @ddl;
EXECUTE change_table;
UPDATE orders SET order_id = CONCAT('row-', id) WHERE order_id IS NULL;
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.statistics
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND index_name = 'orders_order_id') = 0,
              'ALTER TABLE orders ADD UNIQUE INDEX orders_order_id (order_id)', 'DO 0');
PREPARE change_table FROM @ddl;
EXECUTE change_table;

-- Further fields of an order as JSON text, since a JSON column would round numbers.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'attributes') = 0,
              'ALTER TABLE orders ADD COLUMN attributes MEDIUMTEXT CHARACTER SET utf8mb4 NULL', 'DO 0');
PREPARE change_table FROM @ddl;
EXECUTE change_table;

-- The latest orders, and the items of a day from the index alone.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.statistics
               WHERE table_schema = DATABASE() AND table_name = 'orders' AND index_name = 'orders_created_at') = 0,
              'ALTER TABLE orders ADD INDEX orders_created_at (created_at),
                 ADD INDEX orders_item_by_time (created_at, item, quantity)', 'DO 0');
PREPARE change_table FROM @ddl;
EXECUTE change_table;
DEALLOCATE PREPARE change_table;
