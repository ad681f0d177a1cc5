#pragma once
/* What a pass of the scheduler takes from the picture, and leaves to the next. */
#include "fleet/schedule/picture.h"

/* All units that may have to move or be placed since the last pass, in no order: a heap array; nothing is noted as changed
 * after. -ENOMEM: all stays noted. */
int picture_take_touched(Picture *picture, PictureUnit ***ret, size_t *ret_count);

/* The unit is looked at again in the next pass: it waits, or would rather be elsewhere. */
void picture_keep_touched(Picture *picture, PictureUnit *unit);

/* The machine of the least load, and of these of the least ID, that `able` accepts, of those that are present, not
 * cordoned, and admit the unit. NULL: none, or no memory for the index. ret_count: how many these are. */
PictureMachine *picture_least_loaded(Picture *picture, const PictureUnit *unit,
                                     bool (*able)(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine),
                                     size_t *ret_count);
