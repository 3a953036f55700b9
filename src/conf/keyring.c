/*
 * Reads secrets. The bytes of a file are wiped as soon as digests stand for them, and no message
 * quotes them.
 */
#include "conf/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/macros.h"
#include "conf/key.h"
#include "conf/readfile.h"
#include "conf/scope.h"
#include "conf/secret.h"
#include "conf/token.h"

struct keyring {
	struct draft *draft;
	const char *key; /* of the setting, for reports */
	const char *path;
	struct buf text;
};

static void
refuse(struct keyring *k, unsigned line, const char *message)
{
	struct buf place = { 0 };

	buf_append_cstr(&place, k->path);
	if (line > 0)
		buf_printf(&place, ":%u", line);
	buf_append_byte(&place, '\0');
	if (buf_status(&place) < 0)
		k->draft->status = -ENOMEM;
	else
		conf_report_add(k->draft->report, place.data, k->key, "%s", message);
	buf_fini(&place);
}

/* Whether nobody else may do with the open file what `others` are the permission bits of. */
static bool
is_private(struct keyring *k, int fd, mode_t others)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		/* A pipe or a terminal would have the start wait for somebody. */
		refuse(k, 0, "must be a regular file");
		return false;
	}
	if ((st.st_mode & others) != 0) {
		refuse(k, 0,
		    others == 022 ? "others may write it: chmod 644 it"
				  : "others may read or write it: chmod 600 it");
		return false;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		refuse(k, 0, "belongs to another user: it must be this user's, or root's");
		return false;
	}
	return true;
}

/* What is judged is what is read, whatever the name stands for by then. */
static int
read_private(struct keyring *k, mode_t others, bool *ret_is_good)
{
	/* A pipe that nobody writes to is opened at once, to be refused. */
	int fd = open(k->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r = 0;

	*ret_is_good = true;
	if (fd < 0)
		return -errno;
	*ret_is_good = is_private(k, fd, others);
	if (*ret_is_good)
		r = readfile_open(fd, &k->text);
	close(fd);
	return r;
}

/* Opens nothing where the setting is empty. The text is to be wiped in any case. */
static bool
open_file(struct keyring *k, const char *key, const char *path, mode_t others)
{
	bool is_good;
	int r;

	k->key = key;
	k->path = path;
	if (path == NULL || *path == '\0')
		return false;
	r = read_private(k, others, &is_good);
	if (r == -ENOMEM)
		k->draft->status = r;
	else if (r == -EFBIG)
		refuse(k, 0, "is longer than 1 MiB");
	else if (r < 0)
		conf_report_add(k->draft->report, path, key, "cannot be read: %s", strerror(-r));
	return r == 0 && is_good;
}

/* --- tokens ----------------------------------------------------------------------------------- */

static void
add_line(struct keyring *k, struct span line, unsigned number)
{
	struct conf_token token = { .scopes = SCOPE_ALL };
	const char *fault = NULL;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "file-%u", number);
	r = token_set_name(&token, span_cstr(name));
	if (r == 0)
		r = token_read_line(&token, line, &fault);
	if (r == 0) {
		draft_add_token_take(
		    k->draft, &k->draft->conf->file_tokens, &token, k->key, k->path);
		return;
	}
	token_fini(&token);
	if (r == -EINVAL)
		refuse(k, number, fault);
	else
		k->draft->status = r;
}

static void
read_tokens(struct keyring *k)
{
	struct span rest = buf_span(&k->text);

	for (unsigned number = 1; rest.n > 0; number++) {
		const char *newline = memchr(rest.p, '\n', rest.n);
		size_t n = newline != NULL ? (size_t)(newline - rest.p) : rest.n;
		struct span line = span_make(rest.p, n);

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		line = span_trim(line);
		if (line.n > 0 && line.p[0] != '#')
			add_line(k, line, number);
		rest = span_skip(rest, n + (newline != NULL));
	}
}

/* A name says whose connections end with a token, and a secret what its bearer may do: each is there once. */
static void
check_pair(struct draft *d, const struct conf_token *a, const struct conf_token *b)
{
	if (strcmp(a->name, b->name) == 0)
		conf_report_add(d->report, "gateway.auth_tokens", NULL,
		    "two tokens have the name %s; give each one of its own", a->name);
	else if (secret_is_equal(a->digest, b->digest))
		conf_report_add(d->report, "gateway.auth_tokens", NULL,
		    "%s and %s are the same token; keep one of them", b->name, a->name);
}

static void
check_pairs(struct draft *d, const struct conf_tokens *tokens, const struct conf_tokens *others)
{
	for (size_t i = 0; i < tokens->count; i++) {
		size_t end = tokens == others ? i : others->count;

		for (size_t j = 0; j < end; j++)
			check_pair(d, &tokens->list[i], &others->list[j]);
	}
}

/* --- keys ------------------------------------------------------------------------------------- */

/* One newline at the end is the editor's, not the key's. */
static void
read_secret_key(struct keyring *k)
{
	struct span bytes = buf_span(&k->text);

	if (bytes.n > 0 && bytes.p[bytes.n - 1] == '\n')
		bytes.n--;
	if (bytes.n > 0 && bytes.p[bytes.n - 1] == '\r')
		bytes.n--;
	if (bytes.n < KEY_SECRET_MIN)
		refuse(k, 0, "must hold at least 32 bytes");
	else if (key_set(&k->draft->conf->jwt_secret, bytes) < 0)
		k->draft->status = -ENOMEM;
}

static void
read_public_key(struct keyring *k)
{
	int r = key_set_pem(&k->draft->conf->jwt_public_key, buf_span(&k->text));

	if (r == -EINVAL)
		refuse(k, 0, "must hold an Ed25519 public key in PEM form");
	else if (r < 0)
		k->draft->status = r;
}

/* What is in it, sys/tls finds out. */
static void
read_pem(struct keyring *k, struct conf_key *key)
{
	if (k->text.len == 0)
		refuse(k, 0, "is empty");
	else if (key_set(key, buf_span(&k->text)) < 0)
		k->draft->status = -ENOMEM;
}

void
keyring_load(struct draft *d)
{
	const struct conf_gateway *conf = &d->conf->gateway;
	struct keyring k = { .draft = d };

	if (open_file(&k, "gateway.auth_tokens_file", conf->auth_tokens_file, 077))
		read_tokens(&k);
	secret_wipe_buf(&k.text);
	if (open_file(&k, "gateway.auth_jwt_secret_file", conf->auth_jwt_secret_file, 077))
		read_secret_key(&k);
	secret_wipe_buf(&k.text);
	if (open_file(&k, "gateway.auth_jwt_public_key_file", conf->auth_jwt_public_key_file, 022))
		read_public_key(&k);
	secret_wipe_buf(&k.text);
	if (open_file(&k, "gateway.tls_cert", conf->tls_cert, 022))
		read_pem(&k, &d->conf->tls_cert_pem);
	secret_wipe_buf(&k.text);
	if (open_file(&k, "gateway.tls_key", conf->tls_key, 077))
		read_pem(&k, &d->conf->tls_key_pem);
	secret_wipe_buf(&k.text);
	check_pairs(d, &conf->auth_tokens, &conf->auth_tokens);
	check_pairs(d, &d->conf->file_tokens, &d->conf->file_tokens);
	check_pairs(d, &d->conf->file_tokens, &conf->auth_tokens);
}
