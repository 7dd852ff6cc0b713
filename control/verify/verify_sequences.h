/*
 * Sequences: the stream does not carry them. The copy sets them, and so does the switch, when nothing advances them any more;
 * between the two the target's stand where the copy has set them (penstock.sequence), which is no difference.
 */
#pragma once

#include "verify.h"

int sequences_verify(Verify *verify, Error *error) MUST_CHECK;
