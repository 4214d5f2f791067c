-- The table as the first document creates it; a system that is there already has it.
CREATE TABLE IF NOT EXISTS orders (
  id INT AUTO_INCREMENT PRIMARY KEY,
  customer_name VARCHAR(100),
  item VARCHAR(50),
  quantity INT
);
