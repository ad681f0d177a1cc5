#pragma once
/* What the picture's files share. */
#include "fleet/schedule/picture.h"

/* -ENOMEM. */
int picture_units_add(PictureUnits *list, PictureUnit *unit);
void picture_units_remove(PictureUnits *list, const PictureUnit *unit);
int picture_patterns_add(PicturePatterns *list, PicturePattern *pattern);
bool picture_patterns_contain(const PicturePatterns *list, const PicturePattern *pattern);
void picture_patterns_remove(PicturePatterns *list, const PicturePattern *pattern);

/* picture-pattern.c: the unit declares these globs; it occupies no machine meanwhile. */
int picture_declare(Picture *picture, const StringList *globs, PicturePatterns *list);
void picture_withdraw(Picture *picture, PicturePatterns *list);

/* The unit's name matches the pattern. */
int picture_match_unit(PicturePattern *pattern, PictureUnit *unit);
void picture_pattern_free(PicturePattern *pattern);

/* picture-own.c: what the unit asks for. Takes over the contents in any case. -ENOMEM: it asks for nothing. */
int picture_take_requirements(PictureUnit *unit, UnitRequirements *requirements);
void picture_free_requirements(PictureUnit *unit);

/* picture-own.c: the unit's group of Spread=, by its requirements. */
int picture_join_group(Picture *picture, PictureUnit *unit);
void picture_leave_group(Picture *picture, PictureUnit *unit);
void picture_group_free(PictureGroup *group);
void picture_bans_free(PictureBan *bans, size_t count);

/* picture-index.c: the unit's class, and the index of machines. */
int picture_join_class(Picture *picture, PictureUnit *unit);
void picture_leave_class(Picture *picture, PictureUnit *unit);
void picture_class_free(PictureClass *class);
void picture_index_drop(Picture *picture);

/* The machine takes no units any more. */
void picture_index_remove(Picture *picture, const PictureMachine *machine);

/* A unit has come to the machine (by = 1), or has left it (by = -1). */
void picture_index_load(Picture *picture, const PictureMachine *machine, int by);

/* picture-touch.c: notes for the next pass. */
void picture_touch_machine(Picture *picture, PictureMachine *machine);

/* The unit and those that follow it. */
void picture_touch_unit(Picture *picture, PictureUnit *unit);
void picture_untouch_unit(Picture *picture, PictureUnit *unit);
void picture_untouch_machine(Picture *picture, PictureMachine *machine);
