/*
 * Values as the environment, .env and flags write them, and the table its defaults.
 */
#pragma once

#include "base/span.h"
#include "conf/draft.h"

/*
 * Sets the value that the text says: "true", "8080", "debug", "http://a.example,http://b.example".
 * A list that is given again in the same layer grows. What is wrong goes to the draft's report.
 */
void literal_apply(struct draft *, const struct setting *, struct span text, const char *place);
