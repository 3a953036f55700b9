/*
 * What Jansson has to be told once in a process, before its first object: where random bytes for its
 * hash come from, and that what it frees, in which secrets may stand, is wiped.
 */
#pragma once

/* Called by main before anything else; a second call changes nothing. */
void jsontree_prepare(void);
