/*
 * The table of settings, and the names that follow from it. A row is written once, here; the tests
 * hold etc/config.json and man/lurkbot-config.5 against it. Bounds that depend on another setting
 * are in conf/cross.c.
 */
#include "conf/settings.h"

#include <assert.h>
#include <stdio.h>

#include "base/macros.h"
#include "conf/check.h"
#include "conf/data.h"

/* The choices stand in the order of the enums that they become. */
static const char *const log_levels[] = { "debug", "info", "warning", "error", NULL };
static const char *const log_formats[] = { "text", "json", NULL };

static const char *const senders[] = { "auto", "send", "io_uring", NULL };

static_assert(LOG_LEVEL_DEBUG == 0 && LOG_LEVEL_ERROR == 3, "as log_levels");
static_assert(LOG_FORMAT_TEXT == 0 && LOG_FORMAT_JSON == 1, "as log_formats");
static const char *const tls_versions[] = { "1.2", "1.3", NULL };

static_assert(CONF_TLS_1_2 == 0 && CONF_TLS_1_3 == 1, "as tls_versions");
static_assert(SENDER_AUTO == 0 && SENDER_IO_URING == 2, "as senders");

/* The same in fewer letters, for the table. */
enum {
	AT_RESTART = SETTING_BY_RESTART,
	ON_RELOAD = SETTING_BY_RELOAD,
	FOR_NEW = SETTING_BY_RELOAD_FOR_NEW,
};

#define MEMBER(field)                                                             \
	.key = "gateway." #field, .offset = offsetof(struct conf, gateway.field), \
	.size = sizeof(((struct conf *)0)->gateway.field)

#define INT(field, value, low, high, when, counted)                                              \
	MEMBER(field), .type = SETTING_INT, .default_text = #value, .min = (low), .max = (high), \
		       .changed_by = (enum setting_change)(when), .unit = (counted)

#define WANTED_FILE "the path of a file that begins with / or ~/"

const struct setting settings[] = {
	{ MEMBER(host), .type = SETTING_STRING, .default_text = "127.0.0.1", .check = check_host,
	    .wanted = "a host name or an IP address, such as 127.0.0.1, ::1 or 0.0.0.0",
	    .help = "address to listen on" },
	{ INT(port, 18789, 0, 65535, AT_RESTART, NULL),
	    .help = "TCP port to listen on; 0 lets the system pick a free one" },
	{ INT(workers, 0, 0, 256, ON_RELOAD, "processes"),
	    .help = "worker processes; 0 for one for each CPU" },
	{ INT(worker_max_rss, 0, 0, 1099511627776, ON_RELOAD, "bytes"),
	    .help = "memory of its own with which a worker is relieved by another; 0 for any" },
	{ INT(max_connections, 100000, 1, 1000000, FOR_NEW, "connections"),
	    .help = "connections of all workers together" },
	{ INT(max_payload, 1048576, 1024, 268435456, ON_RELOAD, "bytes"),
	    .help = "longest message that is accepted; at most a quarter of ring_bytes and of "
		    "mailbox_bytes" },
	{ INT(max_buffered_bytes, 1048576, 65536, 1073741824, ON_RELOAD, "bytes"),
	    .help = "answers that one client may leave untaken" },
	{ INT(max_in_flight, 64, 1, 1024, ON_RELOAD, "requests"),
	    .help = "unanswered requests of one connection" },
	{ INT(max_fragments, 1024, 1, 1048576, ON_RELOAD, "frames"),
	    .help = "frames that one message may come in" },
	{ INT(handshake_timeout_ms, 10000, 100, 600000, ON_RELOAD, "ms"),
	    .help = "time from the connection to its hello" },
	{ INT(ping_interval_ms, 30000, 100, 86400000, ON_RELOAD, "ms"),
	    .help = "silence after which a connection is pinged" },
	{ INT(pong_timeout_ms, 10000, 100, 86400000, ON_RELOAD, "ms"),
	    .help = "silence after a ping that ends the connection" },
	{ INT(drain_timeout_ms, 10000, 0, 600000, ON_RELOAD, "ms"),
	    .help = "time that a stop leaves for requests in flight" },
	{ INT(slow_consumer_timeout_ms, 30000, 100, 86400000, ON_RELOAD, "ms"),
	    .help = "time that a client may be behind with its events before it is closed" },
	{ INT(stuck_bytes, 262144, 65536, 1073741824, ON_RELOAD, "bytes"),
	    .help = "memory of each worker for events that slow clients took in part and the ring "
		    "overtakes" },
	{ INT(position_interval_ms, 30000, 100, 86400000, ON_RELOAD, "ms"),
	    .help = "time after which a client that was sent no event is told its position" },
	{ MEMBER(sender), .type = SETTING_ENUM, .default_text = "auto", .choices = senders,
	    .help = "way out of events: send, io_uring, or the better one that there is" },
	{ MEMBER(compression), .type = SETTING_BOOL, .default_text = "true",
	    .changed_by = SETTING_BY_RELOAD_FOR_NEW,
	    .help = "compress what clients are sent that offer permessage-deflate" },
	{ INT(compression_min_bytes, 512, 1, 1073741824, ON_RELOAD, "bytes"),
	    .help = "shortest message that is compressed" },
	{ INT(listen_backlog, 4096, 1, 65535, AT_RESTART, "connections"),
	    .help = "connections that may wait to be accepted" },
	{ INT(ring_bytes, 33554432, 65536, 68719476736, AT_RESTART, "bytes"),
	    .help = "shared memory for the event ring" },
	{ INT(mailbox_bytes, 4194304, 65536, 1073741824, AT_RESTART, "bytes"),
	    .help = "shared memory for the mailbox of each process" },
	{ MEMBER(allowed_origins), .type = SETTING_LIST, .default_text = "",
	    .count_offset = offsetof(struct conf, gateway.allowed_origins_count),
	    .changed_by = SETTING_BY_RELOAD_FOR_NEW, .check = check_origin,
	    .wanted = "an origin without a path, such as https://chat.example.org:8443",
	    .help = "origins of web pages that may connect, beside the gateway's own" },
	{ MEMBER(allowed_hosts), .type = SETTING_LIST, .default_text = "",
	    .count_offset = offsetof(struct conf, gateway.allowed_hosts_count),
	    .changed_by = SETTING_BY_RELOAD_FOR_NEW, .check = check_host,
	    .wanted = "a host name or an IP address without a port, such as chat.example.org",
	    .help = "names that requests may call the gateway by, beside its own" },
	{ MEMBER(trusted_proxies), .type = SETTING_LIST, .default_text = "",
	    .count_offset = offsetof(struct conf, gateway.trusted_proxies_count),
	    .changed_by = SETTING_BY_RELOAD_FOR_NEW, .check = check_network,
	    .wanted = "an IP address or a network, such as 127.0.0.1 or 10.0.0.0/8",
	    .help = "proxies whose X-Forwarded-For is believed" },
	{ INT(max_connections_per_ip, 0, 0, 1000000, FOR_NEW, "connections"),
	    .help = "connections of one address; 0 for any number" },
	{ INT(max_handshakes_per_ip, 256, 0, 1000000, FOR_NEW, "connections"),
	    .help = "connections of one address that have not said hello; 0 for any number" },
	{ INT(max_header_bytes, 16384, 512, 16384, ON_RELOAD, "bytes"),
	    .help = "longest head of a request" },
	{ INT(max_header_lines, 100, 8, 100, ON_RELOAD, "lines"),
	    .help = "lines that the head of a request may have" },
	{ INT(max_hello_bytes, 65536, 1024, 65536, ON_RELOAD, "bytes"),
	    .help = "bytes that a client may send before it has said hello" },
	{ INT(max_requests_per_s, 0, 0, 1000000, ON_RELOAD, "requests"),
	    .help = "requests of one connection in a second; 0 for any number" },
	{ INT(max_published_bytes_per_s, 0, 0, 1099511627776, ON_RELOAD, "bytes"),
	    .help = "bytes that one connection may publish in a second; 0 for any number" },
	{ INT(max_pings_per_s, 50, 0, 1000000, ON_RELOAD, "frames"),
	    .help = "pings of one connection that are answered in a second; 0 for all" },
	{ INT(message_timeout_ms, 60000, 100, 86400000, ON_RELOAD, "ms"),
	    .help = "time from the first byte of a message to its last" },
	{ MEMBER(echo), .type = SETTING_BOOL, .default_text = "false",
	    .changed_by = SETTING_BY_RELOAD_FOR_NEW,
	    .help = "serve /echo, for conformance suites and benchmarks" },
	{ MEMBER(auth_enabled), .type = SETTING_BOOL, .default_text = "false",
	    .changed_by = SETTING_BY_RELOAD,
	    .help = "ask every client for a token or the password" },
	{ MEMBER(auth_tokens), .type = SETTING_TOKENS, .is_secret = true, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD, .help = "tokens that clients may come with" },
	{ MEMBER(auth_password), .type = SETTING_SECRET, .is_secret = true, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD, .help = "password that clients may come with" },
	{ MEMBER(auth_tokens_file), .type = SETTING_STRING, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD, .check = check_file, .wanted = WANTED_FILE,
	    .help = "file of further tokens, one a line, for the user alone (0600)" },
	{ MEMBER(auth_jwt_secret_file), .type = SETTING_STRING, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD, .check = check_file, .wanted = WANTED_FILE,
	    .help = "file of the key by which HS256 tokens are checked, at least 32 bytes (0600)" },
	{ MEMBER(auth_jwt_public_key_file), .type = SETTING_STRING, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD, .check = check_file, .wanted = WANTED_FILE,
	    .help = "PEM file of the Ed25519 public key by which EdDSA tokens are checked" },
	{ MEMBER(auth_jwt_audience), .type = SETTING_STRING, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD, .check = check_word,
	    .wanted = "at most 256 visible ASCII characters",
	    .help = "audience that signed tokens must name" },
	{ MEMBER(auth_provider), .type = SETTING_STRING, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD, .check = check_word,
	    .wanted = "at most 256 visible ASCII characters",
	    .help = "provider's method that is asked about unknown tokens and passwords" },
	{ INT(auth_failures, 10, 0, 20, ON_RELOAD, "failures"),
	    .help = "failures to authenticate after which an address is refused; 0 for never" },
	{ INT(auth_failures_within_ms, 60000, 1000, 86400000, ON_RELOAD, "ms"),
	    .help = "time within which these failures must lie" },
	{ INT(auth_lockout_ms, 300000, 1000, 86400000, ON_RELOAD, "ms"),
	    .help = "time for which the address is refused then" },
	{ MEMBER(allow_unauthenticated), .type = SETTING_BOOL, .default_text = "false",
	    .changed_by = SETTING_BY_RELOAD,
	    .help = "without authentication, serve clients of other machines too" },
	{ MEMBER(metrics_public), .type = SETTING_BOOL, .default_text = "false",
	    .changed_by = SETTING_BY_RELOAD,
	    .help = "serve /metrics to everybody, without a token" },
	{ MEMBER(user), .type = SETTING_STRING, .default_text = "", .check = check_account,
	    .wanted = "the name or number of a user",
	    .help =
		"whom workers become when root starts the gateway; empty for lurkbot if there is "
		"such a user, else nobody" },
	{ MEMBER(group), .type = SETTING_STRING, .default_text = "", .check = check_account,
	    .wanted = "the name or number of a group",
	    .help = "their group; empty for that of the user" },
	{ MEMBER(sandbox), .type = SETTING_BOOL, .default_text = "true",
	    .help = "keep workers to the system calls that they need" },
	{ MEMBER(tls_enabled), .type = SETTING_BOOL, .default_text = "false",
	    .changed_by = SETTING_BY_RELOAD_FOR_NEW,
	    .help = "speak TLS with clients: https and wss" },
	{ MEMBER(tls_cert), .type = SETTING_STRING, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD_FOR_NEW, .check = check_file, .wanted = WANTED_FILE,
	    .help = "PEM file of the certificate, and those between it and the root" },
	{ MEMBER(tls_key), .type = SETTING_STRING, .default_text = "",
	    .changed_by = SETTING_BY_RELOAD_FOR_NEW, .check = check_file, .wanted = WANTED_FILE,
	    .help = "PEM file of the certificate's private key, for the user alone (0600)" },
	{ MEMBER(tls_min_version), .type = SETTING_ENUM, .default_text = "1.2",
	    .choices = tls_versions, .changed_by = SETTING_BY_RELOAD_FOR_NEW,
	    .help = "oldest TLS that is spoken; 1.3 is preferred in any case" },
	{ MEMBER(log_file), .type = SETTING_STRING, .default_text = "", .check = check_file,
	    .wanted = WANTED_FILE, .help = "log file; empty for $LURKBOT_HOME/logs/gateway.log" },
	{ INT(log_max_bytes, 67108864, 0, 1099511627776, ON_RELOAD, "bytes"),
	    .help = "size at which the log file is begun anew; 0 for never" },
	{ INT(log_keep, 5, 1, 1000, ON_RELOAD, "files"), .help = "older log files that are kept" },
	{ MEMBER(log_level), .type = SETTING_ENUM, .default_text = "info", .choices = log_levels,
	    .changed_by = SETTING_BY_RELOAD, .help = "least level that is logged" },
	{ MEMBER(log_format), .type = SETTING_ENUM, .default_text = "text", .choices = log_formats,
	    .changed_by = SETTING_BY_RELOAD, .help = "form of the log lines" },
};

static const struct {
	const char *variable, *key;
} aliases[] = {
	{ "LURKBOT_GATEWAY_HOST", "gateway.host" },
	{ "LURKBOT_GATEWAY_PORT", "gateway.port" },
};

size_t
settings_count(void)
{
	return ARRAY_LEN(settings);
}

size_t
settings_index(const struct setting *s)
{
	return (size_t)(s - settings);
}

const struct setting *
settings_by_key(struct span key)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (span_is(key, settings[i].key))
			return &settings[i];
	}
	return NULL;
}

const struct setting *
settings_by_flag(struct span flag)
{
	char name[SETTING_NAME_MAX];

	if (span_has_prefix(flag, SPAN("--")))
		flag = span_skip(flag, 2);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		setting_flag(&settings[i], name);
		if (setting_has_flag(&settings[i]) && span_is(flag, name + 2))
			return &settings[i];
	}
	return NULL;
}

const struct setting *
settings_by_variable(struct span variable)
{
	char name[SETTING_NAME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		setting_variable(&settings[i], name);
		if (span_is(variable, name))
			return &settings[i];
	}
	return NULL;
}

const struct setting *
settings_by_alias(struct span variable)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		if (span_is(variable, aliases[i].variable))
			return settings_by_key(span_cstr(aliases[i].key));
	}
	return NULL;
}

bool
setting_has_flag(const struct setting *s)
{
	return !s->is_secret;
}

void
setting_flag(const struct setting *s, char ret_flag[SETTING_NAME_MAX])
{
	snprintf(ret_flag, SETTING_NAME_MAX, "--%s", strchr(s->key, '.') + 1);
	for (char *p = ret_flag; *p != '\0'; p++) {
		if (*p == '_' || *p == '.')
			*p = '-';
	}
}

void
setting_variable(const struct setting *s, char ret_variable[SETTING_NAME_MAX])
{
	int section = (int)strcspn(s->key, ".");

	snprintf(ret_variable, SETTING_NAME_MAX, "LURKBOT_%.*s__%s", section, s->key,
	    s->key + section + 1);
	for (char *p = ret_variable; *p != '\0'; p++) {
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	}
}

const char *
setting_type_name(enum setting_type type)
{
	switch (type) {
	case SETTING_BOOL:
		return "boolean";
	case SETTING_INT:
		return "integer";
	case SETTING_STRING:
		return "string";
	case SETTING_ENUM:
		return "choice";
	case SETTING_LIST:
		return "list of strings";
	case SETTING_SECRET:
		return "secret";
	case SETTING_TOKENS:
		return "list of tokens";
	}
	return "";
}

const char *
setting_change_name(enum setting_change change)
{
	switch (change) {
	case SETTING_BY_RESTART:
		return "restart";
	case SETTING_BY_RELOAD:
		return "reload";
	case SETTING_BY_RELOAD_FOR_NEW:
		return "reload, for new connections";
	}
	return "";
}
