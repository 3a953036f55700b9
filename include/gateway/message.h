/*
 * Whole messages where permessage-deflate may have been negotiated: answers are compressed, and what came
 * compressed is inflated. Events are compressed once for all, in gateway/batch.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"
#include "base/span.h"
#include "gateway/connection.h"

/*
 * Queues one whole message as a frame, compressed where the connection has negotiated that, the message has
 * compression_min_bytes, and the frame becomes shorter by it.
 */
void message_queue(struct connection *connection, enum ws_opcode opcode, struct span payload);

/*
 * Inflates a message that came compressed: *payload becomes the message, of at most `limit` bytes, UTF-8
 * unless it is binary; valid until the next one is inflated. False, and the connection is closed: with 1007
 * when it is no such message, 1009 when it is too long, 1011 without memory.
 */
bool message_inflate(
    struct connection *connection, bool binary, size_t limit, struct span *payload) must_check;
