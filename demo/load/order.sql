-- An order of three lines, paid at once: inserts into three tables, an update of a fourth, a trigger's insert.
\set customer random(1, 20000)
\set a random(1, 5000)
\set b random(1, 5000)
\set quantity random(1, 5)
BEGIN;
WITH placed AS (
    INSERT INTO shop.orders (customer_id) VALUES (:customer) RETURNING order_id
), lines AS (
    INSERT INTO shop.order_line
    SELECT order_id, line, md5(sku::text)::uuid, :quantity, 9.90
      FROM placed, (VALUES (1, :a), (2, :b), (3, :a)) AS chosen (line, sku)
)
UPDATE shop.customer SET credit = credit + 1::money WHERE customer_id = :customer;
UPDATE shop.product SET stock = stock - :quantity WHERE sku = md5(:a::text)::uuid;
UPDATE shop.orders SET state = 'paid', total = 9.90 * :quantity
 WHERE order_id = (SELECT max(order_id) FROM shop.orders WHERE customer_id = :customer);
INSERT INTO shop.ledger (script) VALUES ('order');
COMMIT;
