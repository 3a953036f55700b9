/*
 * A configuration as bytes, for processes that may open no file: the supervisor packs what it has
 * loaded, a child unpacks it.
 *
 *	magic 4 │ rows 4 │ home │ config_path │ files │ for each row of the table: source, value │
 *	tokens of the file │ public key │ secret key │ certificate │ its key
 *
 *	number	8 bytes		boolean, integer, choice
 *	text	length 4 │ bytes without NUL	(length 0xffffffff: none)
 *	texts	count 4 │ each as text		lists
 *	secret	is set 4 │ digest 32
 *	tokens	count 4 │ each: name │ digest 32 │ scopes 4 │ end 8 │ events as texts
 *	key	length 4 │ bytes
 *
 * in host byte order: both ends are the same program.
 */
#pragma once

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "conf/data.h"

enum { CONF_PACK_MAX = 16 * 1024 * 1024 }; /* bytes; more than any that readfile lets in */

/*
 * Appends the configuration, in which keys and digests stand: to be wiped when it was used. Without memory the buffer fails, which sticks.
 */
void conf_pack(const struct conf *, struct buf *out);

/*
 * Reads what conf_pack wrote. The bytes are another process's: every length, bound and choice is
 * held against the table, and nothing may be left over. 0: ret is to be freed by conf_free.
 * -EBADMSG; -ENOMEM.
 */
int conf_unpack(struct span bytes, struct conf **ret) must_check;
