/* How long followers take to answer: what /v2/stats/leader shows. */
#include <math.h>

#include "store/replica/internal.h"

static Following *follow_find(Replica *replica, uint64_t id, bool make) {
        for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
                Following *following = &replica->followings[i];

                if (following->figures.id == id)
                        return following;
                if (following->figures.id == RAFT_ID_NONE) {
                        if (!make)
                                return NULL;
                        following->figures.id = id;
                        following->figures.round_trips = HISTOGRAM_INIT(100, 16);
                        return following;
                }
        }
        return NULL;
}

void follow_sent(Replica *replica, const RaftMessage *message) {
        Following *following;

        if (message->type != RAFT_MESSAGE_APPEND)
                return;
        replica->counts.appends_sent++;
        following = message->entries.length > 0 ? follow_find(replica, message->to, true) : NULL;
        if (!following || following->index)
                return;
        following->index = message->index + message->entries.length;
        following->sent = replica->now;
}

void follow_answered(Replica *replica, const RaftMessage *message) {
        ReplicaFollower *figures;
        Following *following;
        double n;

        if (message->type == RAFT_MESSAGE_APPEND)
                replica->counts.appends_received++;
        if (message->type != RAFT_MESSAGE_APPEND_RESPONSE)
                return;
        following = follow_find(replica, message->from, false);
        if (!following || following->index == 0 || (!message->reject && message->index < following->index))
                return;
        following->index = 0;
        if (message->reject)
                return;
        figures = &following->figures;
        figures->latency = (double)(replica->now - following->sent) / USEC_PER_MSEC;
        histogram_add(&figures->round_trips, replica->now - following->sent);
        figures->answers++;
        n = (double)figures->answers;
        figures->minimum = figures->answers == 1 ? figures->latency : fmin(figures->minimum, figures->latency);
        figures->maximum = fmax(figures->maximum, figures->latency);
        figures->average += (figures->latency - figures->average) / n;
        following->sum_of_squares += figures->latency * figures->latency;
        figures->deviation = sqrt(fmax(following->sum_of_squares / n - figures->average * figures->average, 0));
}

void follow_failed(Replica *replica, uint64_t id) {
        Following *following = follow_find(replica, id, true);

        if (!following)
                return;
        following->figures.failures++;
        following->index = 0;
}

ReplicaFollower replica_follower(const Replica *replica, uint64_t id) {
        for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++)
                if (replica->followings[i].figures.id == id)
                        return replica->followings[i].figures;
        return (ReplicaFollower){.id = id};
}
