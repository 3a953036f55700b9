/*
 * Judging a secret takes the same steps however much of it is right, and wherever in the table its like
 * stands. Not time is measured, but what the processor does: a parent lets its child go one instruction at a
 * time through each judgement, and counts. An early exit of a comparison or of the search through the table
 * takes fewer, by whatever compiler.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"

#include "base/macros.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "conf/secret.h"
#include "conf/token.h"
#include "gateway/auth.h"
#include "gateway/identity.h"
#include "support_children.h"

enum {
	TOKENS = 8, /* in a table */
	/* One table for each byte at which the nearest token differs, and one for each place of the right one. */
	TABLES = SECRET_DIGEST_BYTES + TOKENS,
	/* Far more than a judgement takes: what counts past it has lost its way. */
	STEPS_MAX = 10 * 1000 * 1000,
};

/* What is presented. */
static const struct span presented = SPAN_INIT("presented");

struct table {
	struct conf conf;
	struct auth *auth;
};

struct judgements {
	struct table tables[TABLES];
	enum auth_verdict (*judge)(const struct auth *auth);
	enum auth_verdict wanted[TABLES];
	long steps[TABLES];
};

/* --- tables ----------------------------------------------------------------------------------- */

/* Different in the first byte from all that is presented, and from each other. */
static void
far_digest(unsigned i, uint8_t ret[SECRET_DIGEST_BYTES])
{
	assert_int_equal(secret_digest(presented, ret), 0);
	ret[0] ^= (uint8_t)(0x80 + i);
}

static void
add_token(struct conf *conf, unsigned i, const uint8_t digest[SECRET_DIGEST_BYTES])
{
	struct conf_token token = { .scopes = SCOPE_ALL };
	char name[16];

	snprintf(name, sizeof(name), "token-%u", i);
	assert_int_equal(token_set_name(&token, span_cstr(name)), 0);
	memcpy(token.digest, digest, sizeof(token.digest));
	assert_int_equal(tokens_append_take(&conf->file_tokens, &token), 0);
}

/* All far off but the one at this place, and the password, which have this digest. */
static void
fill(struct table *table, unsigned place, const uint8_t digest[SECRET_DIGEST_BYTES])
{
	static char nobody[] = "";
	uint8_t far[SECRET_DIGEST_BYTES];

	table->conf.gateway.auth_enabled = true;
	table->conf.gateway.auth_jwt_audience = nobody;
	for (unsigned i = 0; i < TOKENS; i++) {
		far_digest(i, far);
		add_token(&table->conf, i, i == place ? digest : far);
	}
	table->conf.gateway.auth_password.is_set = true;
	memcpy(table->conf.gateway.auth_password.digest, digest, SECRET_DIGEST_BYTES);
	table->auth = auth_new(&table->conf);
	assert_non_null(table->auth);
}

static int
set_up(void **state)
{
	struct judgements *j = calloc(1, sizeof(*j));
	uint8_t digest[SECRET_DIGEST_BYTES];

	assert_non_null(j);
	for (unsigned i = 0; i < TABLES; i++) {
		assert_int_equal(secret_digest(presented, digest), 0);
		if (i < SECRET_DIGEST_BYTES)
			digest[i] ^= 1;
		fill(&j->tables[i], i % TOKENS, digest);
	}
	*state = j;
	return 0;
}

static int
tear_down(void **state)
{
	struct judgements *j = *state;

	for (unsigned i = 0; i < TABLES; i++) {
		auth_free(j->tables[i].auth);
		tokens_fini(&j->tables[i].conf.file_tokens);
	}
	free(j);
	return 0;
}

/* --- counting --------------------------------------------------------------------------------- */

static enum auth_verdict
judge_token(const struct auth *auth)
{
	struct identity *identity = NULL;
	enum auth_verdict verdict = auth_check_token(auth, presented, 0, &identity);

	identity_unref(identity);
	return verdict;
}

static enum auth_verdict
judge_password(const struct auth *auth)
{
	struct identity *identity = NULL;
	enum auth_verdict verdict = auth_check_password(auth, presented, &identity);

	identity_unref(identity);
	return verdict;
}

/* Judges by each table, between two stops. */
static _Noreturn void
be_counted(struct judgements *j)
{
	/* What is made once is made before. */
	for (unsigned i = 0; i < TABLES; i++)
		if (j->judge(j->tables[i].auth) != j->wanted[i])
			_exit(1);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(2);
	for (unsigned i = 0; i < TABLES; i++) {
		(void)raise(SIGSTOP);
		(void)j->judge(j->tables[i].auth);
		(void)raise(SIGSTOP);
	}
	_exit(0);
}

/* Goes on, with this request, until the child stops; what stopped it, or 0: it has ended. */
static int
go_on(pid_t child, enum __ptrace_request how, int *ret_status)
{
	if (how != PTRACE_TRACEME)
		assert_int_equal(ptrace(how, child, NULL, NULL), 0);
	assert_int_equal(waitpid(child, ret_status, 0), child);
	return WIFSTOPPED(*ret_status) ? WSTOPSIG(*ret_status) : 0;
}

static long
count_steps(pid_t child)
{
	long steps = 0;
	int status;

	while (go_on(child, PTRACE_SINGLESTEP, &status) == SIGTRAP)
		assert_true(++steps < STEPS_MAX);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), SIGSTOP);
	return steps;
}

static void
count_all(struct judgements *j)
{
	int status;
	pid_t child = support_fork();

	if (child == 0)
		be_counted(j);
	/* There is nothing to go on from yet. */
	if (go_on(child, PTRACE_TRACEME, &status) == 0) {
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), 1);
		print_message("nobody may be traced here\n");
		skip();
	}
	for (unsigned i = 0; i < TABLES; i++) {
		j->steps[i] = count_steps(child);
		(void)go_on(child, PTRACE_CONT, &status);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
expect_same(const struct judgements *j, unsigned begin, unsigned end)
{
	for (unsigned i = begin; i < end; i++) {
		if (j->steps[i] != j->steps[begin])
			print_error(
			    "table %u: %ld steps, %ld before\n", i, j->steps[i], j->steps[begin]);
		assert_int_equal(j->steps[i], j->steps[begin]);
	}
	assert_true(j->steps[begin] > SECRET_DIGEST_BYTES);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* What a sanitizer or valgrind does besides would be counted as well, and differs each time. */
static bool
is_instrumented(void)
{
#ifdef LURKBOT_SANITIZED
	return true;
#else
	return getenv("RUN_UNDER") != NULL;
#endif
}

static void
expect_blind(struct judgements *j, enum auth_verdict (*judge)(const struct auth *auth),
    enum auth_verdict bad, enum auth_verdict good)
{
	if (is_instrumented())
		skip();
	j->judge = judge;
	for (unsigned i = 0; i < TABLES; i++)
		j->wanted[i] = i < SECRET_DIGEST_BYTES ? bad : good;
	count_all(j);
	expect_same(j, 0, SECRET_DIGEST_BYTES);
	expect_same(j, SECRET_DIGEST_BYTES, TABLES);
}

static void
tokens_are_compared_whole_and_with_all(void **state)
{
	expect_blind(*state, judge_token, AUTH_BAD_TOKEN, AUTH_TOKEN);
}

static void
a_password_is_compared_whole(void **state)
{
	expect_blind(*state, judge_password, AUTH_BAD_PASSWORD, AUTH_PASSWORD);
}

#define blindness_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		blindness_test(tokens_are_compared_whole_and_with_all),
		blindness_test(a_password_is_compared_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
