-- Small edits: TOASTed values that stay and that change, every type in between, savepoints that roll back.
\set customer random(1, 20000)
\set product random(1, 5000)
BEGIN;
UPDATE shop.customer SET flags = ~flags, last_ip = last_ip + 1, tags = tags || hstore('seen', :customer::text),
       newsletter = NOT newsletter
 WHERE customer_id = :customer;
SAVEPOINT attempt;
UPDATE shop.customer SET note = 'never seen' WHERE customer_id = :customer;
ROLLBACK TO attempt;
UPDATE shop.customer SET note = note || md5(random()::text)
 WHERE customer_id = :customer - :customer % 10;
UPDATE shop.product
   SET title = title || '.', weight = random(), volume = random() * 1e300, sizes = sizes || 1::smallint,
       attributes = attributes || jsonb_build_object('at', clock_timestamp()), picture = picture || '\x00ff',
       lead_time = lead_time + interval '1 day 0.000001 s', matrix = matrix || ARRAY[7, 8]
 WHERE sku = md5(:product::text)::uuid AND length(title) < 200;
UPDATE shop.coupon SET uses = uses + 1 WHERE code = 'CODE' || (1 + :product % 200);
INSERT INTO shop.click (customer_id, page) VALUES (:customer, '/p/' || :product);
INSERT INTO shop.ledger (script) VALUES ('edit');
COMMIT;
