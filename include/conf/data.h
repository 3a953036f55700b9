/*
 * The configuration in force, as plain data. It is built once by conf_load(), never changed
 * afterwards, and so may be read by every process forked since, without a lock. Each member of
 * struct conf_gateway is a row of the table in conf/settings.h, where type, bounds and meaning are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* How a run of bytes goes to many clients. */
enum conf_sender { SENDER_AUTO, SENDER_SEND, SENDER_IO_URING };

/* The oldest TLS that is spoken. */
enum conf_tls { CONF_TLS_1_2, CONF_TLS_1_3 };

enum { CONF_DIGEST_BYTES = 32 }; /* SHA-256 */

/* A token, of which only the digest is kept. */
struct conf_token {
	char *name;
	uint8_t digest[CONF_DIGEST_BYTES];
	unsigned scopes; /* SCOPE_... of conf/scope.h */
	char **events;	 /* events_count patterns that it may publish; NULL: any */
	size_t events_count;
	uint64_t expires_ms; /* since 1970 UTC; 0: never */
};

struct conf_tokens {
	struct conf_token *list;
	size_t count;
};

/* A password, of which only the digest is kept. */
struct conf_secret {
	bool is_set;
	uint8_t digest[CONF_DIGEST_BYTES];
};

/* What a file of keys holds, as bytes that no core file gets; n == 0: there is none. */
struct conf_key {
	uint8_t *bytes;
	size_t n;
};

/* The settings under "gateway". Strings are never NULL. */
struct conf_gateway {
	char *host;			   /* a name or an address, without brackets */
	uint16_t port;			   /* 0: the system picks a free one */
	uint32_t workers;		   /* 0: one for each CPU */
	uint64_t worker_max_rss;	   /* own memory of one; 0: any */
	uint32_t max_connections;	   /* of all workers together */
	uint64_t max_payload;		   /* bytes of one message */
	uint64_t max_buffered_bytes;	   /* of one connection */
	uint32_t max_in_flight;		   /* unanswered requests of one connection */
	uint32_t max_fragments;		   /* frames of one message */
	uint32_t handshake_timeout_ms;	   /* from accept to hello */
	uint32_t ping_interval_ms;	   /* of silence before a ping */
	uint32_t pong_timeout_ms;	   /* of silence after it */
	uint32_t drain_timeout_ms;	   /* for what is in flight at a stop */
	uint32_t slow_consumer_timeout_ms; /* behind, before it is closed */
	uint64_t stuck_bytes;		   /* of each worker, for frames sent in part */
	uint32_t position_interval_ms;	   /* without an event, before gateway.position */
	enum conf_sender sender;	   /* the way out to clients */
	bool compression;		   /* whether permessage-deflate is granted */
	uint64_t compression_min_bytes;	   /* of a message, to be compressed */
	int listen_backlog;		   /* as listen(2) takes it */
	uint64_t ring_bytes;		   /* of the event ring */
	uint64_t mailbox_bytes;		   /* of one process's mailbox */
	char **allowed_origins;		   /* allowed_origins_count of them; NULL when 0 */
	size_t allowed_origins_count;
	char **allowed_hosts; /* the same of names that requests may call us by */
	size_t allowed_hosts_count;
	char **trusted_proxies; /* the same of addresses and networks */
	size_t trusted_proxies_count;
	uint32_t max_connections_per_ip; /* 0: any number, as for all that follow but the sizes */
	uint32_t max_handshakes_per_ip;
	uint32_t max_header_bytes;
	uint32_t max_header_lines;
	uint32_t max_hello_bytes;
	uint32_t max_requests_per_s; /* of one connection */
	uint64_t max_published_bytes_per_s;
	uint32_t max_pings_per_s;
	uint32_t message_timeout_ms;
	bool echo; /* whether /echo is there */
	bool auth_enabled;
	struct conf_tokens auth_tokens;
	struct conf_secret auth_password;
	char *auth_tokens_file; /* absolute path, or empty; like the two that follow */
	char *auth_jwt_secret_file;
	char *auth_jwt_public_key_file;
	char *auth_jwt_audience; /* empty: tokens for nobody in particular */
	char *auth_provider;	 /* a method; empty: nobody else is asked */
	uint32_t auth_failures;	 /* 0: as many as one likes */
	uint32_t auth_failures_within_ms;
	uint32_t auth_lockout_ms;
	bool allow_unauthenticated; /* peers that are not on this machine */
	bool metrics_public;
	char *user, *group; /* of the children, when started as root; empty: the default */
	bool sandbox;	    /* whether workers are kept to the system calls that they need */
	bool tls_enabled;
	char *tls_cert; /* absolute path, or empty; like the next */
	char *tls_key;
	enum conf_tls tls_min_version;
	char *log_file;		/* absolute path */
	uint64_t log_max_bytes; /* of it, before it is begun anew; 0: any */
	uint32_t log_keep;
	enum log_level log_level;
	enum log_format log_format;
};

struct conf {
	struct conf_gateway gateway;
	struct conf_tokens file_tokens; /* what auth_tokens_file holds */
	struct conf_key jwt_secret;	/* what auth_jwt_secret_file holds, for HS256 */
	struct conf_key jwt_public_key; /* the 32 bytes of the Ed25519 key, for EdDSA */
	struct conf_key tls_cert_pem;	/* what tls_cert holds */
	struct conf_key tls_key_pem;	/* what tls_key holds */
	char *home;	   /* LURKBOT_HOME as an absolute path, without a slash at its end */
	char *config_path; /* the JSON file of highest precedence that was read; NULL: none */
	char **files;	   /* files_count that were read, lowest precedence first, .env last */
	size_t files_count;
	char **sources; /* where each setting came from, in the order of the table */
};
