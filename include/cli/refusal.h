/*
 * Sentences about connections that did not come about or ended, and the exit status of each. Text
 * of the peer that goes into them is escaped.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "cli/status.h"

struct endpoint;
struct upgrade_refusal;

/* Why endpoint_connect failed with rc. */
void refusal_explain_connect(const struct endpoint *, int rc, struct buf *out);

/* Why the upgrade was refused; body is what came behind the head, perhaps the gateway's JSON. */
enum cli_status refusal_explain(
    const struct endpoint *, const struct upgrade_refusal *, struct span body, struct buf *out);

/* That the gateway closed the connection: its code and reason. */
void refusal_explain_close(uint16_t code, struct span reason, struct buf *out);
