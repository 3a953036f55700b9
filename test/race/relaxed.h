/*
 * Included before everything else in the tree that is to fail: no store releases anything.
 */
#pragma once

#include <stdatomic.h>

#define memory_order_release memory_order_relaxed
#define memory_order_acq_rel memory_order_acquire
