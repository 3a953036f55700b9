/*
 * What TLS connections share: certificate and key, what is spoken and what is not. It stays for as long as a
 * connection holds on to it, whatever new ones are given.
 *
 * Opens no file, also none of OpenSSL's configuration; but tls_client_new, which does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

struct bio_method_st;
struct ssl_ctx_st;
struct tickets;
struct tls_context;

enum { TLS_FAULT_MAX = 160 };

enum tls_version { TLS_1_2, TLS_1_3 };

/* What connections of a server have in common. */
struct tls_server_options {
	struct span cert; /* PEM: the certificate, then those between it and the root */
	struct span key;  /* PEM: its private key, without a passphrase */
	enum tls_version min_version;
	struct tickets *tickets; /* stay as long as connections; NULL: no session is resumed */
};

/* Whose fault it is, and what. */
struct tls_fault {
	bool is_key;		  /* the key's, else the certificate's */
	char text[TLS_FAULT_MAX]; /* "is no private key in PEM form: …", to be put behind a name */
};

/*
 * Has OpenSSL look at no configuration file, in this process and those that it forks: called by main before
 * anything else of OpenSSL is.
 */
void tls_prepare(void);

/*
 * Makes what connections share, to be given back by tls_context_unref; each connection holds a reference of its
 * own. 0; -EINVAL: the fault says what is wrong with certificate or key; -ENOMEM.
 */
int tls_server_new(const struct tls_server_options *, struct tls_context **ret,
    struct tls_fault *ret_fault) must_check;

/*
 * The same for clients, who trust the certificates in the file, or those that the system trusts (NULL), or
 * everybody. -EINVAL: the file is none such.
 */
int tls_client_new(const char *ca_file, bool is_insecure, struct tls_context **ret) must_check;

/* NULL is allowed. */
void tls_context_unref(struct tls_context *);

/* When the server's certificate ends, in milliseconds since 1970 UTC. */
uint64_t tls_expires_ms(const struct tls_context *);

/* One more reference; returns the context. */
struct tls_context *tls_context_ref(struct tls_context *);

/* OpenSSL's names for what it holds; sys/tls alone needs them. */
struct ssl_ctx_st *tls_context_ssl(const struct tls_context *);
const struct bio_method_st *tls_context_bio_method(const struct tls_context *);
