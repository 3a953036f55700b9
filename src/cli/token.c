/*
 * A secret is read from standard input, never from an argument, which everybody could see. What was
 * read is wiped when it was used.
 */
#include "cli/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/random.h"
#include "cli/arguments.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/setup.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "conf/secret.h"
#include "conf/token.h"
#include "gateway/auth.h"
#include "gateway/identity.h"
#include "proto/base64url.h"

enum {
	BYTES_DEFAULT = 32,
	BYTES_MAX = 1024,
	LINE_MAX_BYTES = SECRET_MAX + 3, /* the newline, CR and NUL */
};

/* --- a secret from standard input ------------------------------------------------------------- */

/* Without echo where a person types it. False at the end of the input. */
static bool
read_line(char line[LINE_MAX_BYTES])
{
	struct termios before, silent;
	bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	bool has_line;

	if (is_terminal) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		fputs("Token: ", stderr);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	}
	/* Not buffered: what the buffer held would stay. */
	setvbuf(stdin, NULL, _IONBF, 0);
	has_line = fgets(line, LINE_MAX_BYTES, stdin) != NULL;
	if (is_terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (has_line)
		line[strcspn(line, "\r\n")] = '\0';
	return has_line;
}

static enum cli_status
read_secret(char line[LINE_MAX_BYTES])
{
	if (read_line(line) && secret_is_valid(span_cstr(line)))
		return CLI_OK;
	output_error("standard input must begin with a token: 1 to %d visible ASCII characters",
	    (int)SECRET_MAX);
	return CLI_USAGE;
}

/* --- generate and hash ------------------------------------------------------------------------ */

/* The token (NULL: not to be shown), and what stands for it. Frees nothing. */
static enum cli_status
print_token(const struct invocation *invocation, const char *token, struct span digest)
{
	struct buf text = { 0 };
	struct jsonw w;

	if (!arguments_has(invocation->arguments, OPTION_JSON)) {
		buf_append_span(&text, token != NULL ? span_cstr(token) : digest);
	} else {
		jsonw_init(&w, &text);
		jsonw_object(&w);
		if (token != NULL) {
			jsonw_key(&w, "token");
			jsonw_cstr(&w, token);
		}
		jsonw_key(&w, "hash");
		jsonw_str(&w, digest);
		jsonw_object_end(&w);
	}
	buf_append_byte(&text, '\n');
	return output_take(&text);
}

static enum cli_status
digest_and_print(const struct invocation *invocation, const char *token, bool is_shown)
{
	uint8_t digest[SECRET_DIGEST_BYTES];
	enum cli_status status = CLI_FAILED;
	struct buf text = { 0 };

	if (secret_digest(span_cstr(token), digest) == 0) {
		secret_write(&text, digest);
		if (buf_status(&text) == 0)
			status = print_token(invocation, is_shown ? token : NULL, buf_span(&text));
	}
	if (status != CLI_OK)
		output_error("out of memory");
	buf_fini(&text);
	return status;
}

enum cli_status
token_generate(const struct invocation *invocation)
{
	size_t n =
	    (size_t)arguments_number(invocation->arguments, OPTION_TOKEN_BYTES, BYTES_DEFAULT);
	char token[BASE64URL_ENCODED((size_t)BYTES_MAX) + 1];
	uint8_t bytes[BYTES_MAX];
	enum cli_status status = CLI_FAILED;

	if (random_bytes(bytes, n) < 0) {
		output_error("the kernel gives no random bytes");
	} else {
		base64url_encode(bytes, n, token);
		token[BASE64URL_ENCODED(n)] = '\0';
		status = digest_and_print(invocation, token, true);
	}
	secret_wipe(bytes, sizeof(bytes));
	secret_wipe(token, sizeof(token));
	return status;
}

enum cli_status
token_hash(const struct invocation *invocation)
{
	char line[LINE_MAX_BYTES] = "";
	enum cli_status status = read_secret(line);

	if (status == CLI_OK)
		status = digest_and_print(invocation, line, false);
	secret_wipe(line, sizeof(line));
	return status;
}

/* --- list ------------------------------------------------------------------------------------- */

static void
append_scopes(struct buf *out, unsigned scopes)
{
	bool is_first = true;

	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		if ((scopes & 1U << i) == 0)
			continue;
		buf_printf(out, "%s%s", is_first ? "" : ",", scope_name(i));
		is_first = false;
	}
	if (is_first)
		buf_append_cstr(out, "-");
}

static void
append_expires(struct buf *out, uint64_t expires_ms)
{
	char text[OUTPUT_TIME_MAX];

	if (expires_ms == 0)
		return;
	output_time(expires_ms, text);
	buf_printf(out, "  %s %s", expires_ms <= clock_real_ms() ? "expired" : "until", text);
}

static void
append_rows(struct buf *out, const struct conf_tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++) {
		const struct conf_token *token = &tokens->list[i];

		buf_printf(out, "%-20s ", token->name);
		append_scopes(out, token->scopes);
		for (size_t j = 0; j < token->events_count; j++)
			buf_printf(out, "%s%s", j == 0 ? "  events " : ",", token->events[j]);
		append_expires(out, token->expires_ms);
		buf_append_byte(out, '\n');
	}
}

static void
append_json(struct jsonw *w, const struct conf_tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++)
		token_write(&tokens->list[i], w);
}

enum cli_status
token_list(const struct invocation *invocation)
{
	struct buf text = { 0 };
	struct conf *conf;
	struct jsonw w;
	enum cli_status status = setup_load(invocation, &conf);

	if (status != CLI_OK)
		return status;
	if (arguments_has(invocation->arguments, OPTION_JSON)) {
		jsonw_init(&w, &text);
		jsonw_array(&w);
		append_json(&w, &conf->gateway.auth_tokens);
		append_json(&w, &conf->file_tokens);
		jsonw_array_end(&w);
		buf_append_byte(&text, '\n');
	} else {
		append_rows(&text, &conf->gateway.auth_tokens);
		append_rows(&text, &conf->file_tokens);
	}
	conf_free(conf);
	return output_take(&text);
}

/* --- check ------------------------------------------------------------------------------------ */

static enum cli_status
print_identity(const struct invocation *invocation, const struct identity *identity)
{
	struct buf text = { 0 };
	struct jsonw w;

	if (arguments_has(invocation->arguments, OPTION_JSON)) {
		jsonw_init(&w, &text);
		jsonw_object(&w);
		jsonw_key(&w, "name");
		jsonw_cstr(&w, identity->name);
		jsonw_key(&w, "scopes");
		scope_write(identity->scopes, &w);
		jsonw_key(&w, "expiresAtMs");
		if (identity->expires_ms != 0)
			jsonw_uint(&w, identity->expires_ms);
		else
			jsonw_null(&w);
		jsonw_object_end(&w);
	} else {
		buf_printf(&text, "%s ", identity->name);
		append_scopes(&text, identity->scopes);
		append_expires(&text, identity->expires_ms);
	}
	buf_append_byte(&text, '\n');
	return output_take(&text);
}

static enum cli_status
check(const struct invocation *invocation, const struct conf *conf, struct span token)
{
	struct auth *auth = auth_new(conf);
	struct identity *identity = NULL;
	enum auth_verdict verdict = AUTH_NO_MEMORY;
	enum cli_status status = CLI_UNAUTHORIZED;

	if (auth != NULL)
		verdict = auth_check_token(auth, token, clock_real_ms(), &identity);
	if (auth_is_good(verdict))
		status = print_identity(invocation, identity);
	else
		output_error("%s", auth_verdict_sentence(verdict));
	identity_unref(identity);
	auth_free(auth);
	return status;
}

enum cli_status
token_check(const struct invocation *invocation)
{
	char line[LINE_MAX_BYTES] = "";
	struct conf *conf;
	enum cli_status status = setup_load(invocation, &conf);

	if (status != CLI_OK)
		return status;
	status = read_secret(line);
	if (status == CLI_OK)
		status = check(invocation, conf, span_cstr(line));
	secret_wipe(line, sizeof(line));
	conf_free(conf);
	return status;
}
