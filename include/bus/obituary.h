/*
 * What is written into the ledger about connections whose worker can write nothing any more.
 */
#pragma once

#include "bus/ledger.h"

struct directory;

/*
 * Writes a line with this cause and reason about each connection that `slot` holds in the directory; who they
 * were is not known there. Before directory_clear_slot. Returns how many there were.
 */
unsigned obituary_write(const struct ledger *ledger, const struct directory *directory,
    unsigned slot, enum ledger_cause cause, const char *reason);
