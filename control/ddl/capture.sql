-- What captures DDL at the source: four event triggers and their functions, in schema penstock of the source. Made by
-- `penstock copy --ddl capture`, removed by `penstock finish`. Each may be run again: functions are replaced.
--
-- A statement's event trigger runs in the statement's transaction, and writes one message into the WAL at that place. It takes no
-- lock beyond those of reading catalogs, and whatever goes wrong in it is caught: the statement of the application goes through,
-- and the message says that it was not captured.
--
-- Event triggers run as whoever makes the DDL, who need not have any right here: only penstock_ddl_write runs as its owner, so
-- that it may set lc_messages (the words of a call stack) and read the seal's key, and everything that runs before has each name's
-- schema.
--
-- Anybody may write a message into the WAL (pg_logical_emit_message), and what is in these is run on the target. So each is
-- sealed with a key that only the owner can read, and the role in it is the one that the session has by logging in or SET ROLE,
-- never one that a caller of the function says. Where a SECURITY DEFINER function acts for another role, that one is told beside.

CREATE TABLE IF NOT EXISTS penstock.penstock_ddl_seal (token bytea NOT NULL);
REVOKE ALL ON penstock.penstock_ddl_seal FROM PUBLIC;

-- What is told of a table that a statement of that kind may have changed, as it is now; NULL for what is no table, or temporary. Only
-- which table it is, where its columns cannot have changed. Runs as whoever calls it, which is the function below.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_table(relation oid, tag text) RETURNS jsonb LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    about record;
    columns jsonb;
    list text;
    key text;
    types jsonb;
    missing jsonb;
    parents jsonb;
BEGIN
    SELECT c.relname, c.relkind, c.relpersistence, c.relreplident, c.reloptions, n.nspname INTO about
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
    IF NOT FOUND OR about.relkind NOT IN ('r', 'p') OR about.relpersistence = 't' THEN
        RETURN NULL;
    END IF;
    IF tag IN ('COMMENT', 'GRANT', 'REVOKE', 'CREATE INDEX', 'CREATE TRIGGER', 'CREATE RULE', 'CREATE POLICY', 'ALTER POLICY',
               'CREATE STATISTICS', 'SECURITY LABEL') THEN
        RETURN jsonb_build_object('oid', relation::int8);
    END IF;
    -- Generated columns are there from 12 on. Of a branch that is not taken the server looks at no name.
    IF current_setting('server_version_num')::int >= 120000 THEN
        SELECT jsonb_agg(concat_ws(':', a.attnum, a.atttypid, a.atttypmod, a.attname) ORDER BY a.attnum),
               string_agg(concat('"', replace(a.attname, '"', '""'), '"'), ', ' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '')
          INTO columns, list FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
    ELSE
        SELECT jsonb_agg(concat_ws(':', a.attnum, a.atttypid, a.atttypmod, a.attname) ORDER BY a.attnum),
               string_agg(concat('"', replace(a.attname, '"', '""'), '"'), ', ' ORDER BY a.attnum)
          INTO columns, list FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
    END IF;
    IF about.relkind = 'r' AND about.relreplident = 'd' THEN
        SELECT format('ALTER TABLE ONLY %I.%I ADD CONSTRAINT %I %s', about.nspname, about.relname, k.conname, pg_get_constraintdef(k.oid))
          INTO key FROM pg_constraint k WHERE k.conrelid = relation AND k.contype = 'p';
    END IF;
    IF tag = 'CREATE TABLE' THEN
        SELECT jsonb_agg(i.inhparent::int8) INTO parents FROM pg_inherits i WHERE i.inhrelid = relation;
    ELSIF tag IN ('CREATE TABLE AS', 'SELECT INTO') THEN
        SELECT jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                   'collation', (SELECT concat(quote_ident(cn.nspname), '.', quote_ident(co.collname))
                       FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace JOIN pg_type y
                         ON y.oid = a.atttypid WHERE co.oid = a.attcollation AND a.attcollation <> y.typcollation))
                ORDER BY a.attnum)
          INTO types FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
    ELSIF tag = 'ALTER TABLE' THEN
        SELECT jsonb_object_agg(a.attname, jsonb_build_object('number', a.attnum,
                   'value', (a.attmissingval::text::text[])[1], 'type', format_type(a.atttypid, a.atttypmod)))
          INTO missing FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
         WHERE a.attrelid = relation AND a.attnum > 0 AND a.atthasmissing AND a.attmissingval IS NOT NULL AND NOT a.attisdropped
           AND y.typdelim = ',';
    END IF;
    RETURN jsonb_build_object('oid', relation::int8, 'schema', about.nspname, 'name', about.relname, 'kind', about.relkind,
        'persistence', about.relpersistence, 'columns', columns, 'list', list, 'key', key, 'types', types, 'missing', missing,
        'parents', parents, 'options', CASE WHEN types IS NOT NULL THEN array_to_string(about.reloptions, ', ') END);
END $body$;
REVOKE ALL ON FUNCTION penstock.penstock_ddl_table(oid, text) FROM PUBLIC;

-- What is to be told at the end of a statement is kept in a setting until then, and goes back with the statement. Whoever makes DDL may
-- change settings of his own session, so it is sealed, and good in this transaction alone. Both run as whoever calls them, which is the
-- function below.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_keep(pending jsonb) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    kept text := concat(txid_current(), pending);
    setting text;
BEGIN
    IF pending = '{}' THEN
        setting := set_config('penstock.ddl_pending', '', false);
        RETURN;
    END IF;
    setting := set_config('penstock.ddl_pending', concat(encode(sha256((SELECT k.token FROM penstock.penstock_ddl_seal k)
        || convert_to(kept, getdatabaseencoding())), 'hex'), pending), false);
END $body$;
REVOKE ALL ON FUNCTION penstock.penstock_ddl_keep(jsonb) FROM PUBLIC;

CREATE OR REPLACE FUNCTION penstock.penstock_ddl_kept() RETURNS jsonb LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    kept text := coalesce(current_setting('penstock.ddl_pending', true), '');
    pending text := substr(kept, 65);
BEGIN
    IF kept = '' OR left(kept, 64) <> encode(sha256((SELECT k.token FROM penstock.penstock_ddl_seal k)
        || convert_to(concat(txid_current(), pending), getdatabaseencoding())), 'hex') THEN
        RETURN '{}';
    END IF;
    RETURN pending; -- no CASE: the planner computes what it does not take
END $body$;
REVOKE ALL ON FUNCTION penstock.penstock_ddl_kept() FROM PUBLIC;

-- One message. What the caller's search_path and role are is told by the caller, because this function has its own. The end of a
-- statement that did nothing (IF NOT EXISTS) or concerns nothing that lives longer than the session is only counted.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_write(happened text, tag text, acting text, path text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lc_messages = 'C' SET extra_float_digits = 3 SET quote_all_identifiers = off AS $body$
DECLARE
    stack text;
    frame text := concat('function penstock.penstock_ddl_', CASE happened WHEN 'rewrite' THEN 'rewrite' ELSE 'tell' END, '() line ');
    query text := current_query();
    place text := concat(extract(epoch FROM statement_timestamp()), ':', md5(query));
    count int := 0;
    seen int;
    foreign_to_us int := 0;
    objects jsonb;
    dropped jsonb;
    relations oid[];
    family oid[];
    level oid[];
    one oid;
    item jsonb;
    tables jsonb[];
    rewritten jsonb;
    pending jsonb;
    has_rows boolean;
    outer_role text := CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END;
    token bytea;
    body bytea;
    setting text;
    written pg_lsn;
BEGIN
    IF tag = 'REINDEX' THEN
        RETURN; -- fires from 17 on, and defines nothing
    END IF;
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF strpos(stack, frame) = 0 THEN
        RAISE 'only the event triggers of penstock call this';
    END IF;
    -- Ours are the frames up to that of the event trigger's own function; what is left called the statement.
    stack := substr(stack, strpos(stack, frame));
    stack := CASE WHEN strpos(stack, chr(10)) > 0 THEN substr(stack, strpos(stack, chr(10)) + 1) ELSE '' END;

    -- What makes a table's rows may define things itself, whose end comes before that of the statement: the length of the call stack tells
    -- whose it is. Temporary tables are nobody's business.
    IF happened = 'rewrite' THEN
        IF EXISTS (SELECT FROM pg_class c WHERE c.oid = pg_event_trigger_table_rewrite_oid() AND c.relpersistence <> 't') THEN
            pending := penstock.penstock_ddl_kept();
            PERFORM penstock.penstock_ddl_keep(jsonb_set(pending, '{rewritten}', coalesce(pending -> 'rewritten', '[]') || jsonb_build_object(
                'oid', pg_event_trigger_table_rewrite_oid()::int8, 'reason', pg_event_trigger_table_rewrite_reason(), 'depth', length(stack))));
        END IF;
        RETURN;
    END IF;

    IF happened = 'end' THEN
        SELECT count(*), count(*) FILTER (WHERE c.in_extension OR c.schema_name IN ('pg_temp', 'penstock')
                    OR c.object_identity ~ ' on pg_temp\.'),
               jsonb_agg(jsonb_build_object('class', c.classid::regclass::text, 'oid', c.objid::int8, 'sub', c.objsubid,
                    'tag', c.command_tag, 'type', c.object_type, 'schema', c.schema_name, 'identity', c.object_identity))
                 FILTER (WHERE NOT c.in_extension),
               array_agg(c.objid) FILTER (WHERE c.classid = 'pg_class'::regclass AND NOT c.in_extension)
          INTO seen, foreign_to_us, objects, relations
          FROM pg_event_trigger_ddl_commands() c;
    ELSE
        SELECT count(*), count(*) FILTER (WHERE d.is_temporary OR d.schema_name = 'penstock'),
               jsonb_agg(jsonb_build_object('class', d.classid::regclass::text, 'oid', d.objid::int8, 'type', d.object_type,
                    'identity', d.object_identity, 'original', d.original)) FILTER (WHERE d.objsubid = 0)
          INTO seen, foreign_to_us, dropped
          FROM pg_event_trigger_dropped_objects() d;
    END IF;

    -- Which of a string's statements it is: the number of those that came to their end before it. Kept in a setting, which goes
    -- back with the transaction or savepoint that the statement goes back with.
    IF stack = '' THEN
        IF split_part(current_setting('penstock.ddl_place', true), '/', 1) = place THEN
            count := split_part(current_setting('penstock.ddl_place', true), '/', 2)::int;
        END IF;
        count := count + 1;
        IF happened = 'end' AND NOT (seen > 0 AND foreign_to_us = seen AND objects IS NULL) THEN
            setting := set_config('penstock.ddl_place', concat(place, '/', count), false);
        END IF;
    END IF;
    -- What ALTER TABLE drops is told of at its end, as what it writes anew is.
    IF happened = 'drop' AND tag = 'ALTER TABLE' THEN
        IF dropped IS NOT NULL THEN
            PERFORM penstock.penstock_ddl_keep(jsonb_set(penstock.penstock_ddl_kept(), '{dropped}', dropped));
        END IF;
        RETURN;
    END IF;
    IF happened = 'end' AND coalesce(current_setting('penstock.ddl_pending', true), '') <> '' THEN
        pending := penstock.penstock_ddl_kept();
        dropped := CASE WHEN tag = 'ALTER TABLE' THEN pending -> 'dropped' END;
        PERFORM penstock.penstock_ddl_keep(pending - 'dropped');
    END IF;
    -- The target has no use for it, and the text may have a password.
    IF tag LIKE '% SUBSCRIPTION' THEN
        RETURN;
    END IF;
    -- DROP is told of by what it dropped, everything else at its end.
    IF (happened = 'drop') <> (tag LIKE 'DROP %' AND tag <> 'DROP OWNED')
       OR seen = foreign_to_us AND tag NOT IN ('DROP OWNED', 'REASSIGN OWNED') THEN
        RETURN;
    END IF;

    -- The tables that it may have changed: those named, those of indexes and triggers, all of a schema that has another name, those of a
    -- type that has other attributes, and whatever inherits from one of them. Asked for step by step, and only what can be the matter:
    -- the server plans what concerns an array anew each time, which of one query for all took longer than the statement itself.
    family := coalesce(relations, '{}');
    IF objects @> '[{"type": "index"}]' THEN
        family := family || ARRAY(SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = ANY (relations));
    END IF;
    IF objects @> '[{"class": "pg_trigger"}]' THEN
        family := family || ARRAY(SELECT t.tgrelid FROM jsonb_array_elements(objects) o JOIN pg_trigger t ON t.oid = (o ->> 'oid')::oid
                                   WHERE o ->> 'class' = 'pg_trigger');
    END IF;
    IF tag = 'ALTER SCHEMA' THEN
        family := family || ARRAY(SELECT c.oid FROM jsonb_array_elements(objects) o JOIN pg_class c ON c.relnamespace = (o ->> 'oid')::oid
                                   WHERE o ->> 'class' = 'pg_namespace');
    END IF;
    IF tag = 'ALTER TYPE' AND relations IS NOT NULL THEN
        family := family || ARRAY(SELECT c.oid FROM pg_type y JOIN pg_class c ON c.reloftype = y.oid WHERE y.typrelid = ANY (relations));
    END IF;
    level := family;
    WHILE level <> '{}' LOOP
        level := ARRAY(SELECT DISTINCT i.inhrelid FROM pg_inherits i WHERE i.inhparent = ANY (level) AND i.inhrelid <> ALL (family));
        family := family || level;
    END LOOP;
    FOR one IN SELECT DISTINCT unnest(family) LOOP
        item := penstock.penstock_ddl_table(one, tag);
        IF item IS NOT NULL THEN
            tables := tables || item;
        END IF;
    END LOOP;

    -- Tables that were written anew: of those without rows nothing is to be said.
    IF happened = 'end' AND pending ? 'rewritten' THEN
        FOR item IN SELECT r FROM jsonb_array_elements(pending -> 'rewritten') r JOIN pg_class c ON c.oid = (r ->> 'oid')::oid
                     WHERE c.relkind IN ('r', 'm') AND (r ->> 'depth')::int >= length(stack) LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s)', (item ->> 'oid')::oid::regclass) INTO has_rows;
            IF has_rows THEN
                rewritten := coalesce(rewritten, '[]') || (item - 'depth');
            END IF;
        END LOOP;
        PERFORM penstock.penstock_ddl_keep(jsonb_strip_nulls(jsonb_build_object('rewritten', (SELECT jsonb_agg(r)
            FROM jsonb_array_elements(pending -> 'rewritten') r WHERE (r ->> 'depth')::int < length(stack)))));
    END IF;

    body := convert_to(jsonb_strip_nulls(jsonb_build_object(
        -- A long string is sent with each of its statements only so far: ten thousand of them would fill the WAL.
        'version', 1, 'event', happened, 'tag', tag, 'number', count,
        'query', CASE WHEN length(query) <= 10000 OR stack = '' AND count::int8 * length(query) <= 67108864 THEN query END, 'stack', nullif(stack, ''),
        'role', outer_role, 'acting', nullif(acting, outer_role), 'path', path, 'objects', objects, 'dropped', dropped,
        'tables', to_jsonb(tables), 'rewritten', rewritten, 'xid', txid_current(), 'at', extract(epoch FROM clock_timestamp()),
        'settings', jsonb_build_object('DateStyle', current_setting('DateStyle'), 'IntervalStyle', current_setting('IntervalStyle'),
            'TimeZone', current_setting('TimeZone'), 'standard_conforming_strings', current_setting('standard_conforming_strings'),
            'array_nulls', current_setting('array_nulls'), 'xmloption', current_setting('xmloption'),
            'transform_null_equals', current_setting('transform_null_equals'),
            'check_function_bodies', current_setting('check_function_bodies'),
            'default_tablespace', current_setting('default_tablespace'),
            'default_with_oids', current_setting('default_with_oids', true), 'lc_monetary', current_setting('lc_monetary'),
            'lc_numeric', current_setting('lc_numeric'), 'lc_time', current_setting('lc_time'),
            'row_security', current_setting('row_security'))))::text,
        CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END);
    SELECT k.token INTO STRICT token FROM penstock.penstock_ddl_seal k;
    -- An assignment costs a tenth of PERFORM: it is computed without a plan.
    written := pg_logical_emit_message(true, 'penstock.ddl',
        convert_to(encode(sha256(token || sha256(token || body)), 'hex'), 'SQL_ASCII') || body);
    -- Decoding takes the end of a message's record for its place (decode.c, DecodeLogicalMsgOp, all majors), which is where the next
    -- record begins: a row behind it that is written in another subtransaction would have the same, and may come first. This one
    -- stands between them.
    written := pg_logical_emit_message(true, 'penstock.ddl.end', '');
END $body$;

-- The end of a statement, or what it dropped; and what is left when the message could not be made: first with the statement's text,
-- then with nothing that could fail.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_tell() RETURNS event_trigger LANGUAGE plpgsql AS $body$
DECLARE
    code text;
    words text;
BEGIN
    PERFORM penstock.penstock_ddl_write(CASE WHEN tg_event OPERATOR(pg_catalog.=) 'sql_drop' THEN 'drop' ELSE 'end' END,
        tg_tag, current_user::pg_catalog.text, pg_catalog.current_setting('search_path'));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, words = MESSAGE_TEXT;
    BEGIN
        PERFORM pg_catalog.pg_logical_emit_message(true, 'penstock.ddl', pg_catalog.convert_to(pg_catalog.jsonb_build_object(
            'version', 1, 'event', 'error', 'tag', tg_tag, 'code', code, 'words', words, 'role', current_user,
            'query', pg_catalog.current_query())::pg_catalog.text, 'UTF8'));
    EXCEPTION WHEN OTHERS THEN
        BEGIN
            PERFORM pg_catalog.pg_logical_emit_message(true, 'penstock.ddl', pg_catalog.concat(
                '{"version": 1, "event": "error", "tag": "', tg_tag, '", "code": "', code, '"}'));
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'penstock could not capture this statement: %', sqlerrm;
        END;
    END;
END $body$;

-- A table is about to be written anew; told of at the statement's end. Without this note the table would count as one that is not.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_rewrite() RETURNS event_trigger LANGUAGE plpgsql AS $body$
DECLARE
    code text;
BEGIN
    PERFORM penstock.penstock_ddl_write('rewrite', tg_tag, current_user::pg_catalog.text, pg_catalog.current_setting('search_path'));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE;
    BEGIN
        PERFORM pg_catalog.pg_logical_emit_message(true, 'penstock.ddl', pg_catalog.concat(
            '{"version": 1, "event": "error", "tag": "', tg_tag, '", "code": "', code, '"}'));
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'penstock could not capture this statement: %', sqlerrm;
    END;
END $body$;

-- CREATE TABLE AS writes its rows before its end is told of: whoever meets rows of a table that he does not know, behind this and in
-- the same transaction, may make it as the stream describes it.
CREATE OR REPLACE FUNCTION penstock.penstock_ddl_start() RETURNS event_trigger LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM pg_catalog.pg_logical_emit_message(true, 'penstock.ddl.start', '');
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'penstock could not capture the beginning of this statement: %', sqlerrm;
END $body$;

COMMENT ON FUNCTION penstock.penstock_ddl_table(oid, text) IS 'Penstock: what is told of a table';
COMMENT ON FUNCTION penstock.penstock_ddl_write(text, text, text, text) IS 'Penstock: writes DDL into the stream of a migration';
REVOKE ALL ON FUNCTION penstock.penstock_ddl_write(text, text, text, text) FROM PUBLIC;
GRANT USAGE ON SCHEMA penstock TO PUBLIC;
GRANT EXECUTE ON FUNCTION penstock.penstock_ddl_write(text, text, text, text) TO PUBLIC;

CREATE EVENT TRIGGER penstock_ddl_start ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS', 'SELECT INTO')
    EXECUTE PROCEDURE penstock.penstock_ddl_start();
CREATE EVENT TRIGGER penstock_ddl_end ON ddl_command_end EXECUTE PROCEDURE penstock.penstock_ddl_tell();
CREATE EVENT TRIGGER penstock_ddl_drop ON sql_drop EXECUTE PROCEDURE penstock.penstock_ddl_tell();
CREATE EVENT TRIGGER penstock_ddl_rewrite ON table_rewrite EXECUTE PROCEDURE penstock.penstock_ddl_rewrite();
-- What a session under session_replication_role = replica defines is defined all the same.
ALTER EVENT TRIGGER penstock_ddl_start ENABLE ALWAYS;
ALTER EVENT TRIGGER penstock_ddl_end ENABLE ALWAYS;
ALTER EVENT TRIGGER penstock_ddl_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER penstock_ddl_rewrite ENABLE ALWAYS;
