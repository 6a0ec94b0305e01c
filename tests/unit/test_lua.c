/* SPDX-License-Identifier: MPL-2.0 */
/* The link lua: what a script can do, and what it cannot. */
#include "filters/filters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/lua_fixture.h"

/* ---- answers ---- */

static void
test_a_hook_that_returns_lets_pass(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f, "function mail(facts) return 'refuse' end", "");
	assert_int_equal(lua_fixture_run(&f, STAGE_CONNECT), 0);
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 0);
	assert_int_equal(lua_fixture_run(&f, STAGE_MESSAGE), 0);
	lua_fixture_close(&f);
}

static void
test_every_stage_can_refuse(void **state)
{
	static const int codes[] = { 554, 550, 550, 550, 550 };
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "local function no(facts) gate.refuse(550, '5.7.1', facts.stage .. ' no') end\n"
	    "connect, helo, mail, rcpt, message = no, no, no, no, no",
	    "");
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		assert_int_equal(lua_fixture_run(&f, (enum link_stage)i), codes[i]);
		assert_string_equal(f.link.reply.enhanced, "5.7.1");
		assert_string_equal(f.link.reply.text + strlen(f.link.reply.text) - 3, " no");
	}
	lua_fixture_close(&f);
}

static void
test_no_pcall_keeps_a_refusal(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "function mail() pcall(gate.refuse, 450, '4.7.1', 'later')\n"
	    "  gate.refuse(550, '5.7.1', 'no') end\n"
	    "function rcpt() xpcall(gate.refuse, function(e) return e end, 450, '4.7.1', 'l')\n"
	    "  gate.refuse(550, '5.7.1', 'no') end\n",
	    "");
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 450);
	assert_int_equal(lua_fixture_run(&f, STAGE_RCPT), 450);
	lua_fixture_close(&f);
}

static void
test_an_error_has_file_and_line(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "function mail()\n  local x = nil\n  return x.y\nend\n"
	    "function rcpt() gate.fail('the moon is down') end\n"
	    "function message() error({}) end",
	    "");
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 451);
	assert_non_null(strstr(f.reason, ".lua:3: attempt to index a nil value"));
	assert_int_equal(lua_fixture_run(&f, STAGE_RCPT), 451);
	assert_string_equal(f.reason, "the moon is down");
	assert_int_equal(lua_fixture_run(&f, STAGE_MESSAGE), 451);
	assert_string_equal(f.reason, "an error that is no text, but a table");
	lua_fixture_close(&f);
}

static void
test_an_error_under_pass_lets_pass(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f, "function mail() error('x') end", "on_error = \"pass\";");
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 0);
	assert_non_null(strstr(f.reason, ": x"));
	lua_fixture_close(&f);
}

/* ---- what it may not do ---- */

/* Bodies of function mail. */
static const struct {
	const char *body, *reason;
} hostile[] = {
	{ "while true do end", "more than its limit of instructions" },
	{ "local function f() return f() end f()", "more than its limit of instructions" },
	{ "while true do pcall(function() while true do end end) end",
	    "limit of instructions" },
	{ "local function again() return xpcall(error, again) end while true do again() end",
	    "limit of instructions" },
	{ "xpcall(function() while true do end end, function() while true do end end)",
	    "limit of instructions" },
	{ "for i = 1, math.maxinteger do end", "limit of instructions" },
	{ "local t <close> = setmetatable({}, {__close = function() while true do end end})"
	  " while true do end",
	    "limit of instructions" },
	{ "local t = {} for _, n in ipairs { 100000, 1000, 10 } do\n"
	  "while pcall(function() t[#t + 1] = ('x'):rep(n) .. #t end) do end end\n"
	  "while true do pcall(function() while true do end end) end",
	    "limit of instructions" },
	{ "local s = 'x' while true do s = s .. s end", "" },
	{ "local t = {} for i = 1, math.maxinteger do t[i] = ('x'):rep(1000) .. i end", "" },
	{ "string.rep('x', 1 << 40)", "" },
	{ "string.rep('', 1 << 60) error('done')", ": done" },
	{ "('a'):rep(100000):find('.-.-.-.-x')", "limit of instructions" },
	{ "('('):rep(100000):match('%b()x')", "limit of instructions" },
	{ "('a'):rep(100000):gsub('.-.-.-x', '')", "limit of instructions" },
	{ "for w in ('a'):rep(100000):gmatch('.-.-.-x') do end", "limit of instructions" },
	{ "local function f(s) return (s:gsub('.', f)) end f('x')", "replacement functions" },
	{ "table.move({}, 1, math.maxinteger - 1, 2)", "limit of instructions" },
	{ "table.unpack({}, 1, 1 << 40)", "limit of instructions" },
	{ "table.sort(setmetatable({}, {__len = function() return 1 << 30 end}))",
	    "a table with a metatable" },
	{ "table.concat(setmetatable({}, {__index = rawlen}), '', 1, 1 << 53)",
	    "a table with a metatable" },
	{ "local t = {} for i = 1, 20000 do t[i] = i end while true do table.insert(t, 1, 0) "
	  "table.remove(t, 1) end",
	    "limit of instructions" },
	{ "local t = {} for i = 1, 200 do t[i] = i end while true do "
	  "table.sort(t, function() return true end) end",
	    "" }, /* an invalid order, or instructions */
	{ "setmetatable({}, {__gc = function() while true do end end})",
	    "__gc is not available" },
	{ "local function f() return 1 + f() end f()", "" }, /* stack overflow, or memory */
	{ "local t = {} t = setmetatable(t, {__index = function(t, k) return t[k + 1] end}) "
	  "return t[1]",
	    "" },
	{ "return os.exit(1)", "attempt to index a nil value (global 'os')" },
	{ "io.open('/etc/passwd')", "(global 'io')" },
	{ "debug.sethook()", "(global 'debug')" },
	{ "package.loadlib('x', 'y')", "(global 'package')" },
	{ "require('os')", "(global 'require')" },
	{ "load('return 1')", "(global 'load')" },
	{ "loadstring('return 1')", "(global 'loadstring')" },
	{ "dofile('/etc/passwd')", "(global 'dofile')" },
	{ "loadfile('/etc/passwd')", "(global 'loadfile')" },
	{ "collectgarbage('stop')", "(global 'collectgarbage')" },
	{ "coroutine.create(error)", "(global 'coroutine')" },
	{ "rawset(_ENV, 'x', 1)", "(global 'rawset')" },
	{ "string.dump(mail)", "(field 'dump')" },
	{ "('x'):dump()", "(method 'dump')" },
	{ "getmetatable('').__index = nil", "" },
	{ "getmetatable(facts).__index = nil", "" },
	{ "setmetatable(_ENV, {})", "protected metatable" },
	{ "x = 1", "the global \"x\" cannot be set in a hook" },
	{ "mail = nil", "the global \"mail\" cannot be set in a hook" },
	{ "facts.login = 'admin'", "facts cannot be changed" },
	{ "return facts.nothing", "there is no fact \"nothing\"" },
	{ "return message:get('From')", "(global 'message')" },
	{ "gate.table('file:/etc/passwd')", "gate.table is for the top of the script" },
	{ "gate.refuse(250, '2.0.0', 'ok')", "a refusal has a code of 400 to 599" },
	{ "gate.refuse(550, '4.7.1', 'x')", "an enhanced code" },
	{ "gate.refuse(550, '5.7.1.1', 'x')", "an enhanced code" },
	{ "gate.refuse(550, '5.7', 'x')", "an enhanced code" },
	{ "gate.refuse(550)", "string expected" },
	{ "gate.note('a b', 'c')", "a key has letters" },
	{ "gate.note('a', 'b c=d')", "a value has no blanks" },
	{ "gate.route('nowhere')", "there is no upstream \"nowhere\"" },
	{ "gate.in_network('192.0.2.1', '192.0.2.1/24')", "bad argument #2" },
	{ "('x'):find('[')", "malformed pattern" },
	{ "('x'):gsub('x', '%2')", "invalid capture index" },
	{ "error(nil)", "no text, but a nil" },
	{ "error(12)", "no text, but a number" },
};

static void
test_a_hostile_script_is_stopped(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct lua_fixture f;
		char text[1024];

		(void)snprintf(
		    text, sizeof(text), "function mail(facts)\n%s\nend", hostile[i].body);
		lua_fixture_open(&f, text, "instructions = 300000; memory = \"4M\";");
		if (lua_fixture_run(&f, STAGE_MAIL) != 451)
			fail_msg("%s: is let through", hostile[i].body);
		if (strstr(f.reason, hostile[i].reason) == NULL)
			fail_msg("%s: %s", hostile[i].body, f.reason);
		lua_fixture_close(&f);
	}
}

static void
test_a_call_ends_at_its_time(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f, "function mail() while true do end end",
	    "instructions = 100000000000; timeout = \"100ms\";");
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 451);
	assert_non_null(strstr(f.reason, ".lua:1: more than its limit of time"));
	lua_fixture_close(&f);
}

static void
test_the_next_call_has_its_whole_budget(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "function mail() while true do end end\n"
	    "function rcpt() for i = 1, 20000 do end end",
	    "instructions = 30000;");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(lua_fixture_run(&f, STAGE_RCPT), 0);
		if (i % 5 == 0)
			assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 451);
	}
	lua_fixture_close(&f);
}

/* ---- what is refused when it is loaded ---- */

static const struct {
	const char *text, *settings, *error;
} unloadable[] = {
	{ "function mail( end", "", ".lua:1: <name> or '...' expected" },
	{ "x = = 1", "", "unexpected symbol near '='" },
	{ "\x1bLuaS", "", "attempt to load a binary chunk" },
	{ "x = 1", "", "none of the functions connect, helo, mail, rcpt, message" },
	{ "mail = 1", "", "\"mail\" is a number, not a function" },
	{ "error('no')", "", ".lua:1: no" },
	{ "while true do end", "", ".lua:1: more than its limit of instructions" },
	{ "x = ('x'):rep(1 << 40)", "instructions = 1000000;", "" },
	{ "gate.refuse(550, '5.7.1', 'x')", "", "in a hook only" },
	{ "local x = gate.params.a .. nil", "", ".lua:1: attempt to concatenate" },
	{ "function mail() end", "params = [ \"a\" ];", "not of the form \"key=value\"" },
	{ "function mail() end", "params = [ \"=a\" ];", "not of the form \"key=value\"" },
	{ "return facts.client", "", "(global 'facts')" },
};

static void
test_a_bad_script_is_an_error_of_the_configuration(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unloadable); i++) {
		struct lua_fixture f;

		lua_fixture_try(&f, unloadable[i].text, unloadable[i].settings);
		if (f.link.chain != NULL || f.link.errors.count == 0)
			fail_msg("%s: is taken", unloadable[i].text);
		if (strstr(f.link.errors.lines[0], unloadable[i].error) == NULL)
			fail_msg("%s: %s", unloadable[i].text, f.link.errors.lines[0]);
		lua_fixture_close(&f);
	}
}

static void
test_a_script_that_is_not_there(void **state)
{
	(void)state;
	link_fixture_refuses(
	    &link_lua, "script = \"/nonexistent/x.lua\";", "/nonexistent/x.lua");
	link_fixture_refuses(&link_lua, "script = \"/dev/zero\";", "/dev/zero");
	link_fixture_refuses(&link_lua, "", "lua.script: is missing");
}

/* ---- facts ---- */

static void
test_facts_are_those_of_the_session(void **state)
{
	static const char *const patterns[] = { "a@example.com", "*@example.org" };
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "function mail(f) gate.fail(table.concat({ f.client, f.port, f.helo, f.role,\n"
	    "  f.login, f.mechanism, f.backend, table.concat(f.patterns, '|'), f.sender, "
	    "f.id,\n"
	    "  f.session, f.hostname, f.listener, f.tls, f.cipher, f.size,\n"
	    "  tostring(f.esmtp), tostring(f.eightbit), tostring(f.via), f.stage,\n"
	    "  #f.recipients, tostring(f.recipient) }, ' ')) end\n"
	    "function connect(f) gate.fail(tostring(f.login) .. tostring(f.sender)\n"
	    "  .. tostring(f.tls) .. tostring(f.helo) .. tostring(f.size) .. f.id) end\n"
	    "function rcpt(f) gate.fail(f.recipient) end",
	    "");
	struct facts *facts = &f.link.facts;

	assert_int_equal(lua_fixture_run(&f, STAGE_CONNECT), 421);
	assert_string_equal(f.reason, "nilnilnilnilnils1");
	memcpy(facts->client.text, "192.0.2.1", sizeof("192.0.2.1"));
	facts->client.port = 4711;
	facts->helo = "client.test";
	facts->role = ROLE_INBOUND;
	facts->identity = (struct identity){ "alice", "PLAIN", "passwd", patterns, 2 };
	facts->listener = "[::]:25";
	facts->via = "";
	facts->is_esmtp = true;
	facts->tls = (struct tls_facts){ true, "TLSv1.3", "AES", 256 };
	facts->mail.has_size = true;
	facts->mail.size = 1234;
	facts->mail.body = SMTP_BODY_8BITMIME;
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 451);
	assert_string_equal(f.reason,
	    "192.0.2.1 4711 client.test inbound alice PLAIN passwd "
	    "a@example.com|*@example.org  s1.1 s1 gate.example.net [::]:25 TLSv1.3 AES 1234 "
	    "true true nil mail 0 nil");
	assert_int_equal(lua_fixture_run(&f, STAGE_RCPT), 451);
	assert_string_equal(f.reason, "b@example.net");
	lua_fixture_close(&f);
}

/* ---- the message ---- */

static void
test_a_message_is_read(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "function message(f, m)\n"
	    "  local all = m:fields('x-a')\n"
	    "  gate.fail(table.concat({ m:get('subject'), m:get('X-A', 2), "
	    "tostring(m:get('No')),\n"
	    "    tostring(m:get('X-A', 3)), m:count(), m:count('X-A'), m:size(), "
	    "m:body_size(),\n"
	    "    m:body(3, 5), m:body(1, 2), m:body(6), #m:body(), #all, all[2].index,\n"
	    "    all[2].name, all[2].value, #all[2].raw, #m:fields() }, ','))\n"
	    "end",
	    "");
	f.text = "Subject: a\r\n folded\r\n\tone \r\nX-A: 1\r\nx-a:2\r\n\r\nhello\r\n";
	assert_int_equal(lua_fixture_run(&f, STAGE_MESSAGE), 451);
	assert_string_equal(
	    f.reason, "a folded\tone,2,nil,nil,3,2,52,7,llo,he,\r\n,7,2,3,x-a,2,7,3");
	lua_fixture_close(&f);
}

static void
test_a_message_is_changed(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "function message(f, m)\n"
	    "  m:add('X-Top', '1') m:append('X-End', 'a\\r\\n b') m:insert(2, 'X-Mid', '2')\n"
	    "  assert(m:remove('X-Gone') == 2) m:replace(2, 'new') m:remove(6)\n"
	    "  m:set('X-Set', 'once') m:set('X-New', 'n')\n"
	    "  m:set_body('one\\ntwo\\r\\nthree')\n"
	    "end",
	    "");
	f.text = "Subject: s\r\nX-B: old\r\nX-Gone: 1\r\nx-gone: 2\r\nX-C: c\r\nX-D: d\r\n"
		 "X-Set: 1\r\nX-Set: 2\r\n\r\nbody\r\n";
	assert_int_equal(lua_fixture_run(&f, STAGE_MESSAGE), 0);
	assert_string_equal(lua_fixture_written(&f),
	    "X-Top: 1\r\nX-New: n\r\nSubject: s\r\nX-Mid: 2\r\nX-B: new\r\nX-C: c\r\n"
	    "X-Set: once\r\nX-End: a\r\n b\r\n\r\none\r\ntwo\r\nthree\r\n");
	lua_fixture_close(&f);
}

static const char *const bad_changes[] = { "m:add('X Y', '1')", "m:add('X', 'a\\r\\nb')",
	"m:add('X', 'a\\0b')", "m:add('X\\0', 'a')", "m:insert(9, 'X', '1')",
	"m:insert(0, 'X', '1')", "m:remove(0)", "m:remove(5)", "m:replace(1, 'a\\nb')",
	"m:set_body('a\\0')", "m:set_body('a\\rb')", "m:set_sender('no address')",
	"m:add_recipient('')", "m:add_recipient('a@b\\r\\n')", "m:get('X', 0)", "m:body(0)",
	"m:nothing()", "m.x = 1", "m.get()", "m:discard()" };

static void
test_a_change_that_is_none_leaves_the_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_changes); i++) {
		struct lua_fixture f;
		char text[256];

		(void)snprintf(text, sizeof(text),
		    "function message(f, m) m:add('X-Top', '1') %s end", bad_changes[i]);
		lua_fixture_open(&f, text, "on_error = \"pass\";");
		f.text = "Subject: s\r\n\r\nbody\r\n";
		assert_int_equal(lua_fixture_run(&f, STAGE_MESSAGE), 0);
		if (strcmp(f.reason, "") == 0)
			fail_msg("%s is done", bad_changes[i]);
		assert_string_equal(lua_fixture_written(&f), f.text);
		lua_fixture_close(&f);
	}
}

/* ---- gate ---- */

static void
test_what_lua_brings_works(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "function mail()\n"
	    "  local function eq(a, b) if a ~= b then error(tostring(a) .. ' ~= ' .. "
	    "tostring(b), 2) end end\n"
	    "  eq(('a,b;c'):gsub('[,;]', '-'), 'a-b-c') eq(select(2, ('aaa'):gsub('a', 'b')), "
	    "3)\n"
	    "  eq(('abc'):gsub('', '-'), '-a-b-c-') eq(('abc'):gsub('b*', 'x'), 'xaxcx')\n"
	    "  eq(('hello world'):gsub('(%w+) (%w+)', '%2 %1 %0 %%'), 'world hello hello world "
	    "%')\n"
	    "  eq(('$x $y'):gsub('%$(%w)', { x = '1' }), '1 $y')\n"
	    "  eq(('a1'):gsub('%d', function(d) return d + 1 end), 'a2')\n"
	    "  eq(('aaa'):gsub('a', 'b', 2), 'bba') eq(('aaa'):gsub('^a', 'b'), 'baa')\n"
	    "  local words = {} for w, p in ('one two'):gmatch('(%w+)()') do\n"
	    "    words[#words + 1] = w .. p end\n"
	    "  eq(table.concat(words, '|'), 'one4|two8')\n"
	    "  local n = 0 for _ in ('abc'):gmatch('') do n = n + 1 end eq(n, 4)\n"
	    "  n = 0 for _ in ('abc'):gmatch('.', -2) do n = n + 1 end eq(n, 2)\n"
	    "  eq(('x=1'):match('(%w)=(%d)'), 'x') eq(('abc'):find('b', 1, true), 2)\n"
	    "  eq(('a.b'):find('.', 2, true), 2) eq(('abc'):find('c', -1), 3)\n"
	    "  eq(('abc'):find('', 4), 4) eq(('abc'):find('', 5), nil) eq(('abc'):find(')'), "
	    "nil)\n"
	    "  eq(('ab'):rep(3, '-'), 'ab-ab-ab') eq(('x'):rep(0), '') eq(('x'):rep(-1), '')\n"
	    "  local t = { 3, 1, 2 } table.sort(t) eq(table.concat(t), '123')\n"
	    "  table.sort(t, function(a, b) return a > b end) eq(table.concat(t), '321')\n"
	    "  table.insert(t, 1, 0) eq(t[1], 0) table.insert(t, 9) eq(t[#t], 9)\n"
	    "  eq(table.remove(t), 9) eq(table.remove(t, 1), 0) eq(select('#', "
	    "table.unpack(t)), 3)\n"
	    "  eq(table.move({ 1, 2 }, 1, 2, 2)[3], 2) eq(table.pack(1, 2).n, 2)\n"
	    "  local ok, e = pcall(error, 'x') eq(ok, false) eq(e, 'x')\n"
	    "  eq(select('#', pcall(function() return 1, nil end)), 3)\n"
	    "  eq(select(2, xpcall(error, function(m) return m .. '!' end, 'a')), 'a!')\n"
	    "  eq(select(3, xpcall(function(...) return ... end, print or type, 1, 2)), 2)\n"
	    "  eq(math.max(1, 2), 2) eq(utf8.char(228), '\\u{e4}') eq(tonumber('0x10'), 16)\n"
	    "  eq(string.format('%05.1f|%s', 1.25, {} and 'x'), '001.2|x')\n"
	    "  eq(getmetatable(''), false) eq(gate.name, 'lua') eq(gate.params.a, 'b=c')\n"
	    "  eq(gate.in_network('10.1.2.3', '10.0.0.0/8'), true)\n"
	    "  eq(gate.in_network('192.0.2.1', '10.0.0.0/8'), false)\n"
	    "  eq(gate.in_network('nobody', '10.0.0.0/8'), false)\n"
	    "  eq(gate.date(0).year > 1968, true) eq(gate.time() > 0, true)\n"
	    "  local mt = setmetatable({}, { __index = { y = 2 }, __tostring = function() "
	    "return "
	    "'T' end })\n"
	    "  eq(mt.y, 2) eq(tostring(mt), 'T')\n"
	    "  local closed local function scope() local c <close> = setmetatable({}, "
	    "{ __close = function() closed = true end }) end scope() eq(closed, true)\n"
	    "end",
	    "params = [ \"a=b=c\" ];");
	if (lua_fixture_run(&f, STAGE_MAIL) != 0)
		fail_msg("%s", f.reason);
	lua_fixture_close(&f);
}

static void
test_notes_go_to_the_log(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f, "function mail() gate.note('score', '5:b') end", "");
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 0);
	assert_true(view_eq(chain_run_notes(f.link.run), VIEW("score=5:b")));
	lua_fixture_close(&f);
}

static void
test_a_route_is_one_of_the_upstreams(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "function mail() gate.route('bulk') end\n"
	    "function rcpt() gate.route('bulk') end",
	    "");
	assert_null(chain_run_route(f.link.run));
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 0);
	assert_string_equal(chain_run_route(f.link.run), "bulk");
	assert_true(view_eq(chain_run_notes(f.link.run), VIEW("route=bulk")));
	assert_int_equal(lua_fixture_run(&f, STAGE_RCPT), 451);
	assert_non_null(strstr(f.reason, "gate.route is for the hook mail"));
	lua_fixture_close(&f);
}

static void
test_only_what_is_obeyed_routes(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f, "function mail() gate.route('bulk') end", "mode = \"shadow\";");
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 0);
	assert_null(chain_run_route(f.link.run));
	lua_fixture_close(&f);
	lua_fixture_open(
	    &f, "function mail() gate.route('bulk') error('x') end", "on_error = \"pass\";");
	assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 0);
	assert_null(chain_run_route(f.link.run));
	lua_fixture_close(&f);
}

static void
test_a_table_is_looked_up(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "local t = gate.table('file:' .. gate.params.table)\n"
	    "function mail() gate.fail(table.concat({ t:get('a'), tostring(t:get('none')),\n"
	    "  t:get('empty'), table.concat(t:values('b'), '+'), tostring(t:values('no')) },\n"
	    "  ',')) end\n"
	    "function rcpt() t.x = 1 end",
	    "");
	if (f.link.chain == NULL)
		fail_msg("%s", f.link.errors.lines[0]);
	for (int i = 0; i < 2; i++) { /* the second time from a new state */
		assert_int_equal(lua_fixture_run(&f, STAGE_MAIL), 451);
		assert_string_equal(f.reason, "1,nil,,2+3,nil");
	}
	assert_int_equal(lua_fixture_run(&f, STAGE_RCPT), 451);
	lua_fixture_close(&f);
	lua_fixture_try(&f, "gate.table('file:/nonexistent/t')\nfunction mail() end", "");
	assert_null(f.link.chain);
	assert_non_null(strstr(f.link.errors.lines[0], "/nonexistent/t"));
	lua_fixture_close(&f);
}

/* ---- states ---- */

static void
test_variables_live_until_an_error(void **state)
{
	struct lua_fixture f;

	(void)state;
	lua_fixture_open(&f,
	    "local n = 0\n"
	    "function mail() n = n + 1 gate.note('n', tostring(n)) end\n"
	    "function rcpt() error('x') end",
	    "");
	(void)lua_fixture_run(&f, STAGE_MAIL);
	(void)lua_fixture_run(&f, STAGE_MAIL);
	(void)lua_fixture_run(&f, STAGE_RCPT);
	(void)lua_fixture_run(&f, STAGE_MAIL);
	assert_true(view_eq(chain_run_notes(f.link.run), VIEW("n=1 n=2 n=1")));
	lua_fixture_close(&f);
}

static void
test_many_threads_have_a_state_each(void **state)
{
	struct lua_fixture f;
	pthread_t threads[4];

	(void)state;
	lua_fixture_open(&f,
	    "local busy = false\n"
	    "function connect() if busy then error('shared') end busy = true\n"
	    "  for i = 1, 300 do local s = ('x'):rep(i):gsub('x', 'y') end busy = false end",
	    "");
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, lua_fixture_many, &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failures;

		assert_int_equal(pthread_join(threads[i], &failures), 0);
		assert_null(failures);
	}
	lua_fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hook_that_returns_lets_pass),
		cmocka_unit_test(test_every_stage_can_refuse),
		cmocka_unit_test(test_no_pcall_keeps_a_refusal),
		cmocka_unit_test(test_an_error_has_file_and_line),
		cmocka_unit_test(test_an_error_under_pass_lets_pass),
		cmocka_unit_test(test_a_hostile_script_is_stopped),
		cmocka_unit_test(test_a_call_ends_at_its_time),
		cmocka_unit_test(test_the_next_call_has_its_whole_budget),
		cmocka_unit_test(test_a_bad_script_is_an_error_of_the_configuration),
		cmocka_unit_test(test_a_script_that_is_not_there),
		cmocka_unit_test(test_facts_are_those_of_the_session),
		cmocka_unit_test(test_a_message_is_read),
		cmocka_unit_test(test_a_message_is_changed),
		cmocka_unit_test(test_a_change_that_is_none_leaves_the_message),
		cmocka_unit_test(test_what_lua_brings_works),
		cmocka_unit_test(test_notes_go_to_the_log),
		cmocka_unit_test(test_a_route_is_one_of_the_upstreams),
		cmocka_unit_test(test_only_what_is_obeyed_routes),
		cmocka_unit_test(test_a_table_is_looked_up),
		cmocka_unit_test(test_variables_live_until_an_error),
		cmocka_unit_test(test_many_threads_have_a_state_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
