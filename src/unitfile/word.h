#pragma once
/*
 * Words of a unit file's value, split and unquoted as systemd does: blanks separate, ' and " quote anywhere in a word,
 * a backslash starts an escape both inside and outside quotes.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

typedef enum WordEscapes {
        WORD_ESCAPES_C,    /* \a \b \f \n \r \t \v \\ \" \' \s, \xHH, \OOO, \uXXXX, \UXXXXXXXX; others stay as they are */
        WORD_ESCAPES_KEEP, /* backslashes are ordinary: names of units */
} WordEscapes;

/* Takes the next word off the front of *rest into `word`, which is cleared first. 1: a word (perhaps an empty one, from
 * ""). 0: no more. -EINVAL: a quote is not closed, or the text ends in a backslash. -ENOMEM. Start with rest->data not
 * NULL. */
int word_next(Slice *rest, WordEscapes escapes, Buffer *word, Error *error);

/* Adds all words of `text` to the list. */
int word_split(Slice text, WordEscapes escapes, StringList *list, Error *error);
