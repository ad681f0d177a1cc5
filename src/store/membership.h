#pragma once
/* Changes of the members that clients ask for: judged, proposed, answered. */
#include "store/members.h"
#include "store/peer/peers.h"
#include "store/replica/replica.h"

/* Everything is borrowed. */
typedef struct Membership {
        Replica *replica;
        const Members *members;
        const Peers *peers;
        bool strict; /* refuse what would leave too few members that can be reached */
} Membership;

/* StoreBackend.change_member. `reason_text` tells a client of a negative errno. */
void membership_change(const Membership *membership, const StoreMemberChange *change, const char *(*reason_text)(int r),
                       StoreDone done, void *data);
