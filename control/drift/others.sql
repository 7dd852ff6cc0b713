-- Kinds of objects that few databases have. Words in @ are query_words.c's.
--
-- Privileges of what initdb and extensions have made are compared as pg_dump carries them: by what was granted or revoked since
-- (pg_init_privs); those of information_schema it does not carry (pg_dump.c, selectDumpableNamespace). Options of user mappings are
-- secrets, which only superusers see: they are compared by a hash, where both sides let us.

-- kind: text search parser
WITH o AS (SELECT p.oid, concat(n.nspname, '.', p.prsname) AS object, p.prsstart, p.prstoken, p.prsend, p.prsheadline, p.prslextype
    FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace WHERE @ours(n)@ AND @users(pg_ts_parser; p.oid)@)
SELECT object, 'definition', concat_ws(' ', @function(prsstart)@, @function(prstoken)@, @function(prsend)@, @function(prsheadline)@,
        @function(prslextype)@) FROM o @comment(pg_ts_parser)@

-- kind: text search template
WITH o AS (SELECT p.oid, concat(n.nspname, '.', p.tmplname) AS object, p.tmplinit, p.tmpllexize
    FROM pg_ts_template p JOIN pg_namespace n ON n.oid = p.tmplnamespace WHERE @ours(n)@ AND @users(pg_ts_template; p.oid)@)
SELECT object, 'definition', concat_ws(' ', @function(tmplinit)@, @function(tmpllexize)@) FROM o @comment(pg_ts_template)@

-- kind: language
WITH o AS (SELECT l.oid, l.lanname::text AS object, l.lanpltrusted, l.lanplcallfoid, l.laninline, l.lanvalidator, l.lanowner, l.lanacl
    FROM pg_language l WHERE @users(pg_language; l.oid)@)
SELECT object, 'definition', concat_ws(' ', CASE WHEN lanpltrusted THEN 'TRUSTED' END, @function(lanplcallfoid)@, @function(laninline)@,
        @function(lanvalidator)@) FROM o @owner(o.lanowner)@ @acl(o.lanacl; 'l'; o.lanowner)@ @comment(pg_language)@

-- kind: access method
WITH o AS (SELECT m.oid, m.amname::text AS object, m.amtype, m.amhandler FROM pg_am m WHERE @users(pg_am; m.oid)@ AND (m.amtype = 'i' OR @both_from_12@))
SELECT object, 'definition', concat(amtype, ' ', @function(amhandler)@) FROM o @comment(pg_am)@

-- kind: operator family
WITH o AS (SELECT f.oid, concat(n.nspname, '.', f.opfname, ' (', @access_method_of(f.opfmethod)@, ')') AS object, f.opfowner
    FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace WHERE @ours(n)@ AND @users(pg_opfamily; f.oid)@)
SELECT object, 'there', '' FROM o
UNION ALL SELECT o.object, concat('operator ', p.amopstrategy, ' (', format_type(p.amoplefttype, NULL), ', ',
        format_type(p.amoprighttype, NULL), ') for ', CASE p.amoppurpose WHEN 's' THEN 'search' ELSE 'order' END),
        concat(p.amopopr::regoperator::text, CASE WHEN p.amopsortfamily <> 0 THEN
            concat(' by ', @named(pg_opfamily; opfname; opfnamespace; p.amopsortfamily)@) END)
    FROM o JOIN pg_amop p ON p.amopfamily = o.oid
UNION ALL SELECT o.object, concat('function ', p.amprocnum, ' (', format_type(p.amproclefttype, NULL), ', ',
        format_type(p.amprocrighttype, NULL), ')'), @function(p.amproc)@
    FROM o JOIN pg_amproc p ON p.amprocfamily = o.oid @owner(o.opfowner)@ @comment(pg_opfamily)@

-- kind: operator class
WITH o AS (SELECT c.oid, concat(n.nspname, '.', c.opcname, ' (', @access_method_of(c.opcmethod)@, ')') AS object, c.opcintype, c.opcdefault,
        c.opcfamily, c.opckeytype, c.opcowner
    FROM pg_opclass c JOIN pg_namespace n ON n.oid = c.opcnamespace WHERE @ours(n)@ AND @users(pg_opclass; c.oid)@)
SELECT object, 'definition', concat(format_type(opcintype, NULL), CASE WHEN opcdefault THEN ' DEFAULT' END,
        ' FAMILY ', @named(pg_opfamily; opfname; opfnamespace; opcfamily)@,
        CASE WHEN opckeytype <> 0 THEN concat(' STORAGE ', format_type(opckeytype, NULL)) END)
    FROM o @owner(o.opcowner)@ @comment(pg_opclass)@

-- kind: conversion
WITH o AS (SELECT c.oid, concat(n.nspname, '.', c.conname) AS object, c.conforencoding, c.contoencoding, c.conproc, c.condefault, c.conowner
    FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace WHERE @ours(n)@ AND @users(pg_conversion; c.oid)@)
SELECT object, 'definition', concat(pg_encoding_to_char(conforencoding), ' to ', pg_encoding_to_char(contoencoding), ' ',
        conproc::oid::regproc::text, CASE WHEN condefault THEN ' DEFAULT' END)
    FROM o @owner(o.conowner)@ @comment(pg_conversion)@

-- kind: foreign data wrapper
WITH o AS (SELECT w.oid, w.fdwname::text AS object, w.fdwhandler, w.fdwvalidator, w.fdwoptions, w.fdwowner, w.fdwacl
    FROM pg_foreign_data_wrapper w WHERE @users(pg_foreign_data_wrapper; w.oid)@)
SELECT object, 'definition', concat_ws(' ', @function(fdwhandler)@, @function(fdwvalidator)@, @options(fdwoptions)@)
    FROM o @owner(o.fdwowner)@ @acl(o.fdwacl; 'F'; o.fdwowner)@ @comment(pg_foreign_data_wrapper)@

-- kind: user mapping
SELECT concat(m.srvname, ' for ', @role(m.umuser)@) AS object, 'options' AS part, @secret(m.umoptions)@ AS value FROM pg_user_mappings m

-- kind: transform
WITH o AS (SELECT t.oid, concat(format_type(t.trftype, NULL), ' in ', l.lanname) AS object, t.trffromsql, t.trftosql
    FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang WHERE @users(pg_transform; t.oid)@)
SELECT object, 'definition', concat(@function(trffromsql)@, ' ', @function(trftosql)@) FROM o @comment(pg_transform)@

-- kind: publication
WITH o AS (SELECT p.oid, p.pubname::text AS object, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
        @via_root@ AS via_root, p.pubowner
    FROM pg_publication p WHERE p.pubname !~ '^penstock')
SELECT object, 'definition', concat_ws(' ', CASE WHEN puballtables THEN 'ALL TABLES' END, CASE WHEN pubinsert THEN 'insert' END,
        CASE WHEN pubupdate THEN 'update' END, CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END,
        CASE WHEN via_root THEN 'via root' END) FROM o
UNION ALL SELECT o.object, concat('table ', @relation@), concat('published ', @published_columns@::text, ' ',
        pg_get_expr(@published_rows@, r.prrelid))
    FROM o JOIN pg_publication_rel r ON r.prpubid = o.oid JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE @kept(c.oid)@
@published_schemas@ @owner(o.pubowner)@ @comment(pg_publication)@

-- kind: security label
SELECT concat(i.type, ' ', i.identity) AS object, concat('by ', l.provider) AS part, l.label AS value
    FROM pg_seclabel l, pg_identify_object(l.classoid, l.objoid, l.objsubid) i
    WHERE l.classoid <> 'pg_largeobject'::regclass AND coalesce(i.schema, '') <> 'penstock'

-- kind: system object
WITH o AS (SELECT concat('function ', p.oid::regprocedure::text) AS object, p.proacl AS acl,
        @since_made(pg_proc; p.oid; 'f'; p.proowner)@ AS made
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proacl IS NOT NULL AND @system(pg_proc; p.oid)@
UNION ALL SELECT concat('relation ', @relation@), c.relacl,
        @since_made(pg_class; c.oid; CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char"; c.relowner)@
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relacl IS NOT NULL AND @system(pg_class; c.oid)@
UNION ALL SELECT concat('language ', l.lanname), l.lanacl, @since_made(pg_language; l.oid; 'l'; l.lanowner)@
    FROM pg_language l WHERE l.lanacl IS NOT NULL AND (l.oid < 16384 OR NOT @not_of_extension(pg_language; l.oid)@)),
    changed AS (SELECT o.object, @less(o.acl; o.made)@ AS given, @less(o.made; o.acl)@ AS taken FROM o WHERE o.acl IS DISTINCT FROM o.made)
SELECT ''::text AS object, ''::text AS part, ''::text AS value WHERE false
@grants@ SELECT object, 'grants', concat('granted ', given, '; revoked ', taken) FROM changed
    WHERE given IS NOT NULL OR taken IS NOT NULL @end@
