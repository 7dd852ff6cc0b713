-- The nightly import, much too often: two tables truncated together and filled again, documents written and dropped.
BEGIN;
SELECT pg_advisory_xact_lock(2);
TRUNCATE shop.import_buffer, shop.import_errors;
INSERT INTO shop.import_buffer SELECT n, md5(random()::text) FROM generate_series(1, 200) n;
INSERT INTO shop.import_errors SELECT n * 10, 'bad line' FROM generate_series(1, 20) n;
DELETE FROM shop.document WHERE document_id = (SELECT min(document_id) FROM shop.document);
INSERT INTO shop.document (title) VALUES ('imported');
INSERT INTO shop.invoice (title, amount) VALUES ('imported', random()::numeric);
UPDATE shop.invoice SET amount = amount + 0.0001 WHERE document_id % 97 = 0;
SELECT nextval('shop."Ticket No"');
INSERT INTO shop.ledger (script) VALUES ('import');
COMMIT;
