-- Keys that change, unique values that trade places, rows that go and come back, rows without a key.
\set seat random(1, 199)
\set customer random(0, 19)
\set product random(1, 10)
BEGIN;
SELECT pg_advisory_xact_lock(1);
SET CONSTRAINTS ALL DEFERRED;
UPDATE shop.seat SET place = 401 - place WHERE place IN (:seat, 401 - :seat);
UPDATE shop.seat SET seat_no = -seat_no, holder = md5(random()::text) WHERE abs(seat_no) = :seat;
UPDATE shop.coupon SET code = code || '' WHERE code = 'CODE1';
DELETE FROM shop.seat WHERE abs(seat_no) = :seat + 1;
INSERT INTO shop.seat SELECT :seat + 1, 1000 + n, NULL, NULL FROM generate_series(1, 1) n
    WHERE NOT EXISTS (SELECT FROM shop.seat WHERE place = 1000 + n);
INSERT INTO shop.basket VALUES (:customer, md5(:product::text)::uuid, 1, '{"gift":false}');
UPDATE shop.basket SET quantity = quantity + 1 WHERE customer_id = :customer AND sku = md5(:product::text)::uuid;
DELETE FROM shop.basket WHERE customer_id = :customer AND quantity > 4;
INSERT INTO shop.ledger (script) VALUES ('keys');
COMMIT;
