/*
 * Mail about calls that must arrive, and found no room in the mailbox that it is for: it waits here, in its order,
 * and whoever sent it is not read meanwhile. That bounds how much waits.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"
#include "gateway/post.h"

struct connection;
struct parcels;

/* NULL without memory. */
struct parcels *parcels_new(void) must_check;
void parcels_free(struct parcels *parcels);

/*
 * Sends the letter to the process that stood in its slot in this generation, now or when there is room; its body is
 * copied. Until then `sender`, unless NULL, is paused. What is for the dead is dropped.
 */
void parcels_post(struct parcels *parcels, struct gateway *gateway,
    const struct post_letter *letter, uint32_t generation, struct connection *sender);

/* The sender is gone; what it sent stays. */
void parcels_forget(struct parcels *parcels, const struct connection *sender);

/* Tries again. Each turn. */
void parcels_turn(struct parcels *parcels, struct gateway *gateway);
