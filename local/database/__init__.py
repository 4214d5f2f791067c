"""The database server in place of RDS: MariaDB or MySQL, and what RDS does when it makes an instance."""
