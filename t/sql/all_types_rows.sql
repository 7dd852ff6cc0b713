-- The rows of every_type, with ids from :base on.
SET timezone = 'Europe/Vienna';

INSERT INTO every_type (id, remark) VALUES (:base + 0, 'all null');

INSERT INTO every_type VALUES (:base + 1, 'ordinary',
    true, 1, 2, 3, 4.5, 6.789012, 0.5, 0.25, 'text', 'varchar', 'char', 'c', 'name', '\xdeadbeef',
    '2024-02-29', '12:34:56.789', '12:34:56.789+05:30', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789012+01',
    '2024-02-29 12:34:56.789012+01', '1 year 2 mons 3 days 04:05:06.789', '6f9619ff-8b86-d011-b42d-00c04fc964ff',
    '{"a": 1,  "b": [true, null]}', '{"a": 1, "b": [true, null]}', '<a b="c">d</a>', '1234.56',
    '192.168.1.5/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'1010101', B'101',
    to_tsvector('english', 'a fat cat sat on a mat'), to_tsquery('english', 'fat & (cat | rat)'),
    '(1,2)', '{1,2,3}', '[(1,2),(3,4)]', '(3,4),(1,2)', '((1,2),(3,4),(5,0))', '((0,0),(1,1),(1,0))', '<(1,2),3>',
    '[1,10)', '(1.5,2.5]', '[2024-01-01 00:00+00,2024-06-01 00:00+00)', '[2024-01-01,2024-02-01)', '[0.1,0.3)',
    'a=>1, b=>NULL', 'CiText', 'ok', '(1,one)', ROW(ROW(1, 'x')::pair, '{sad,happy}'::mood[], '2024-01-01+00'),
    7, 'A@b.example', '16/B374D848', 4294967295,
    '{1,2,3}', '{{1,2},{3,4}}', '{a,b}', '{0.1,0.2}', '{1.0,1.00}', '{2024-01-01 00:00+00}',
    '{6f9619ff-8b86-d011-b42d-00c04fc964ff}', '{(3,4),(1,2);(7,8),(5,6)}', ARRAY['{"a": 1}', '[]']::jsonb[],
    '{sad,ok}', ARRAY[ROW(1, 'a'), ROW(2, NULL)]::pair[], '{"[1,2)",empty}', '{1,2}', ARRAY['k=>v', '']::hstore[]);

INSERT INTO every_type VALUES (:base + 2, 'least',
    false, -32768, -2147483648, -9223372036854775808, -1e100, -99999999999999.999999, '-Infinity', '-Infinity',
    '', '', '', '', '', '', '4713-01-01 BC', '00:00', '00:00+15:59', '4713-01-01 00:00 BC', '-infinity',
    '4713-01-02 00:00+00 BC', '-178000000 years', '00000000-0000-0000-0000-000000000000',
    '""', '{}', '', '-92233720368547758.08', '::/0', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00',
    B'0000000', B'', '', '', '(-Infinity,-0)', '{-1,0,0}', '[(0,0),(0,0)]', '(0,0),(0,0)', '[(0,0)]', '((0,0))',
    '<(0,0),0>', '(,)', 'empty', '(,2024-01-01 00:00+00]', '(-infinity,infinity)', '[-Infinity,Infinity]',
    '', '', 'sad', '(,)', '(,,)', 1, '@', '0/0', 0,
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');

INSERT INTO every_type VALUES (:base + 3, 'greatest',
    true, 32767, 2147483647, 9223372036854775807, 'NaN', 99999999999999.999999, 'Infinity', 'NaN',
    repeat('long ', 2000), repeat('ü', 40), 'ten chars.', '~', repeat('n', 63), decode(repeat('00ff', 5000), 'hex'),
    'infinity', '24:00', '24:00-15:59', 'infinity', 'infinity', '294276-12-31 23:59:59.99+00', '178000000 years',
    'ffffffff-ffff-ffff-ffff-ffffffffffff', '[[[[[[1]]]]]]', '[[[[[[1]]]]]]',
    '<?xml version="1.0"?><r><![CDATA[<&>]]></r>', '92233720368547758.07',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '255.255.255.255/32', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff',
    B'1111111', repeat('10', 500)::varbit, 'a:1A,2B,3C,4D ''quoted '''' lexeme''', '!a <-> ''b c'':*A',
    '(1e300,1e-300)', '{1e10,1,1}', '[(1e10,1e10),(-1e10,-1e10)]', '(1e10,1e10),(-1e10,-1e10)', '((0,0),(1,1))',
    '((1,1),(2,2),(3,1),(2,0))', '<(0,0),1e10>', '[2147483646,2147483647)', '(,5]', 'empty', 'empty', 'empty',
    '"quoted key"=>"quoted \"value\"", ""=>""', 'ÀÉÎ', 'it''s "quoted", {braced}', '(2147483647,"a ""b"" \\c, (d)")',
    ROW(ROW(NULL, ',')::pair, '{"it''s \"quoted\", {braced}"}'::mood[], 'infinity'), 2147483647,
    'Ü@x', 'FFFFFFFF/FFFFFFFF', 1,
    '[-2:0]={1,NULL,3}', '[0:1][5:6]={{1,2},{3,NULL}}', '{"",NULL,"NULL","a\"b","c\\d","e,f","{g}"}',
    '{NaN,Infinity,-Infinity,-0,0.1}', '{NaN,1e100,1e-100}', '{infinity,-infinity,NULL}', '{NULL}',
    '{(1,1),(0,0);(9,9),(8,8)}', '{NULL}', '{"it''s \"quoted\", {braced}",NULL}', '{"(1,\"a,b\")",NULL,"(,)"}',
    '{"(,)","[5,5]"}', '{NULL,1}', '{NULL,"\"a\"=>\"b,c\""}');

INSERT INTO every_type (id, remark, c_float4, c_float8, c_numeric, c_numeric_p, c_interval, c_text, c_bpchar, c_json,
                        c_jsonb, c_float8s, c_stamptz, c_timestamp, c_date, c_timetz)
SELECT :base + 10 + i, 'generated', (random() - 0.5) * 10 ^ (i % 60 - 30), (random() - 0.5) * 10 ^ (i % 600 - 300),
       (random() * 10 ^ (i % 40))::numeric / 7, (random() * 1e12)::numeric, random() * i * interval '1000 days',
       chr(1 + i * 53) || chr(9) || chr(10) || chr(13) || '\' || i, i::text,
       json_build_object('i', i, 'text', 'tab	backslash\"'), jsonb_build_object('n', 1.0 / (i + 1), 's', chr(10)),
       ARRAY[random(), 1.0 / 3, i + 0.1], timestamptz '1000-01-01' + random() * interval '3000 years',
       timestamp '0001-01-01' + random() * interval '3000 years', date '0001-01-01' + i * 1234,
       ('12:00:00+' || lpad((i % 15)::text, 2, '0') || ':30')::timetz
FROM generate_series(0, 299) AS i;
