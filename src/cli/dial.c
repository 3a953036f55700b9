/*
 * A wrong option is a failure like any other here, so that a verb has one place where it prints
 * why it could not talk to the gateway.
 */
#include "cli/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/arguments.h"
#include "cli/endpoint.h"
#include "cli/invocation.h"
#include "cli/jsonprint.h"
#include "cli/output.h"
#include "cli/upgrade.h"
#include "conf/check.h"
#include "conf/conf.h"
#include "sys/paths.h"
#include "sys/tls_context.h"

enum { TOKEN_LINE_MAX = 4200 };

#define TOKEN_VARIABLE "LURKBOT_GATEWAY_TOKEN"

static enum cli_status
fail_usage(struct client *c, const char *option, const char *what)
{
	client_say(c, "%s: %s", option, what);
	return CLI_USAGE;
}

static enum cli_status
fail_memory(struct client *c)
{
	client_say(c, "out of memory");
	return CLI_FAILED;
}

static enum cli_status
use_url(const struct arguments *a, struct client *c, struct endpoint *ret)
{
	struct buf fault = { 0 };
	enum cli_status status = CLI_OK;
	int rc;

	if (arguments_has(a, OPTION_HOST) || arguments_has(a, OPTION_PORT))
		return fail_usage(c, "--url", "says host and port already");
	rc = endpoint_from_url(ret, span_cstr(arguments_text(a, OPTION_URL)), &fault);
	if (rc == -EINVAL) {
		buf_append_byte(&fault, '\0');
		status = fail_usage(c, "--url", buf_status(&fault) == 0 ? fault.data : "is wrong");
	} else if (rc != 0) {
		status = fail_memory(c);
	}
	buf_fini(&fault);
	if (status == CLI_OK && arguments_has(a, OPTION_TLS) && !ret->is_secure)
		return fail_usage(c, "--tls", "goes not together with a ws:// URL");
	return status;
}

static enum cli_status
use_address(const struct arguments *a, struct client *c, struct endpoint *ret)
{
	const char *host = arguments_text(a, OPTION_HOST);
	uint16_t port = (uint16_t)arguments_number(a, OPTION_PORT, ENDPOINT_PORT_DEFAULT);

	if (host == NULL)
		host = "127.0.0.1";
	if (!check_host(span_cstr(host)))
		return fail_usage(c, "--host", "must be a host name or an address");
	return endpoint_from_address(ret, host, port, arguments_has(a, OPTION_TLS)) == 0
		   ? CLI_OK
		   : fail_memory(c);
}

static enum cli_status
use_socket(struct client *c, struct endpoint *ret)
{
	const struct conf_request request = { 0 };
	char *home = NULL, *path = NULL;
	int rc = conf_home(&request, &home);
	enum cli_status status = CLI_OK;

	if (rc == 0) {
		path = paths_socket(home);
		rc = path != NULL ? endpoint_from_socket(ret, path) : -ENOMEM;
	}
	if (rc == -ENOMEM) {
		status = fail_memory(c);
	} else if (rc != 0) {
		client_say(c, "Cannot find LurkBot's home (%s); set LURKBOT_HOME", strerror(-rc));
		status = CLI_USAGE;
	}
	mem_free(home);
	mem_free(path);
	return status;
}

bool
dial_is_local(const struct arguments *a)
{
	return !arguments_has(a, OPTION_URL) && !arguments_has(a, OPTION_HOST) &&
	       !arguments_has(a, OPTION_PORT) && !arguments_has(a, OPTION_TLS);
}

static enum cli_status
find_endpoint(const struct arguments *a, struct client *c, struct endpoint *ret)
{
	if (arguments_has(a, OPTION_URL))
		return use_url(a, c, ret);
	if (dial_is_local(a))
		return use_socket(c, ret);
	return use_address(a, c, ret);
}

/* Whom to trust, where the endpoint speaks TLS. */
static enum cli_status
find_trust(const struct arguments *a, struct client *c, struct endpoint *endpoint)
{
	const char *ca_file = arguments_text(a, OPTION_CACERT);
	bool is_insecure = arguments_has(a, OPTION_INSECURE);
	int rc;

	if (ca_file != NULL && is_insecure)
		return fail_usage(c, "--insecure", "goes not together with --cacert");
	if (!endpoint->is_secure) {
		if (ca_file == NULL && !is_insecure)
			return CLI_OK;
		return fail_usage(c, ca_file != NULL ? "--cacert" : "--insecure",
		    "goes together with --tls or a wss:// URL");
	}
	rc = tls_client_new(ca_file, is_insecure, &endpoint->tls);
	if (rc == -EINVAL)
		return fail_usage(c, "--cacert", "must be a file of certificates in PEM form");
	return rc == 0 ? CLI_OK : fail_memory(c);
}

/* The first line of the file. */
static enum cli_status
read_token(struct client *c, const char *path, char line[TOKEN_LINE_MAX])
{
	FILE *f = fopen(path, "re");
	enum cli_status status = CLI_OK;

	line[0] = '\0';
	if (f == NULL || fgets(line, TOKEN_LINE_MAX, f) == NULL) {
		client_say(c, "--token-file: %s: %s", path,
		    f == NULL || ferror(f) ? strerror(errno) : "is empty");
		status = CLI_USAGE;
	}
	line[strcspn(line, "\r\n")] = '\0';
	if (f != NULL)
		fclose(f);
	return status;
}

/* The token to send, in ret_store; *ret_token is NULL for none. */
static enum cli_status
find_token(const struct arguments *a, struct client *c, bool is_local,
    char ret_store[TOKEN_LINE_MAX], const char **ret_token)
{
	const char *name = "--token", *token = arguments_text(a, OPTION_TOKEN);
	const char *file = arguments_text(a, OPTION_TOKEN_FILE);
	enum cli_status status;

	if (token != NULL && file != NULL)
		return fail_usage(c, "--token", "goes not together with --token-file");
	if (file != NULL) {
		status = read_token(c, file, ret_store);
		if (status != CLI_OK)
			return status;
		name = "--token-file";
		token = ret_store;
	} else if (token == NULL && !is_local) {
		name = TOKEN_VARIABLE;
		token = getenv(TOKEN_VARIABLE);
		if (token != NULL && token[0] == '\0')
			token = NULL;
	}
	if (token != NULL && !upgrade_token_is_valid(span_cstr(token)))
		return fail_usage(c, name, "a token is 1 to 4096 visible ASCII characters");
	*ret_token = token;
	return CLI_OK;
}

enum cli_status
dial(const struct invocation *invocation, struct span subscribe, struct session *ret)
{
	const struct arguments *a = invocation->arguments;
	char store[TOKEN_LINE_MAX];
	struct endpoint endpoint = { 0 };
	const char *token = NULL;
	enum cli_status status;

	session_init(ret);
	status = find_endpoint(a, &ret->client, &endpoint);
	if (status == CLI_OK)
		status = find_trust(a, &ret->client, &endpoint);
	if (status == CLI_OK)
		status = find_token(a, &ret->client, endpoint.socket_path != NULL, store, &token);
	if (status == CLI_OK)
		status = session_open(ret, &endpoint, token, subscribe);
	endpoint_fini(&endpoint);
	return status;
}

enum cli_status
dial_print_error(const struct reply *reply, const struct invocation *invocation)
{
	struct buf text = { 0 };

	if (arguments_has(invocation->arguments, OPTION_JSON)) {
		jsonprint_compact(&text, reply->result);
	} else {
		jsonprint_plain(&text, span_cstr(reply->error.code));
		buf_append_cstr(&text, ": ");
		jsonprint_plain(&text, span_cstr(reply->error.message));
	}
	fprintf(stderr, "%.*s\n", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
	return errorshape_status(&reply->error);
}

enum cli_status
dial_and_ask(const struct invocation *invocation, const struct request *request,
    struct session *ret_session, struct reply *ret)
{
	enum cli_status status = dial(invocation, DIAL_NO_EVENTS, ret_session);

	if (status == CLI_OK)
		status = session_ask(ret_session, request, ret);
	if (status != CLI_OK) {
		output_error("%s", ret_session->client.why);
		return status;
	}
	return ret->failed ? dial_print_error(ret, invocation) : CLI_OK;
}
