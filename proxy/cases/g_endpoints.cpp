#include "proxy/cases/texts.hpp"

namespace sluice::proxy::cases {

CaseText endpoints() {
  return {__FILE__, __LINE__, R"(
# ---- G.5 no endpoints

scenario no slices
  delete slice S-1
  5.01 P->C                         REJECT
  5.02 N->C                         REJECT
  5.03 X->LB                        REJECT
  5.04 X->E                         REJECT
  5.05 X->n1:NP                     REJECT
  5.06 P->n1:NP, P->LB              REJECT
  # the answer is ICMP type 3 code 3, ICMPv6 type 1 code 4, and comes at once
  5.07,5.08 at-once P->C            REJECT

scenario no endpoints: a UDP client is told
  set S ports=dns/UDP/53
  endpoints S
  5.07,5.08 at-once P->C:53/UDP     REJECT

scenario a slice without endpoints
  endpoints S
  5.15 P->C, N->C, X->LB, X->n1:NP  REJECT

scenario no endpoint is ready
  endpoints S L/unready R/unready
  5.16 P->C, N->C, X->LB, X->n1:NP  REJECT

scenario an endpoint appears
  set S ports=p80/TCP/80/3001,u/UDP/80
  endpoints S
  5.17 P->C                         REJECT
  5.17 from 41000 P->C/UDP          REJECT
  endpoints S L
  5.17 P->C                         {L} nm
  5.17 from 41000 P->C/UDP          {L} nm

scenario an endpoint leaves while its connection lives
  endpoints S L
  5.18 open k P->C                  {L} nm
  endpoints S R
  5.18 goes-on k
  5.18 P->C                         {R} nm
  endpoints S
  5.19 goes-on k
  5.19 P->C                         REJECT
  delete S
  5.19 goes-on k

# ---- G.6 terminating endpoints: st serves its last connections, tn does not

scenario ready ones are left
  endpoints S L L2 R L3/st L4/tn
  6.01 P->C                         {L,L2,R} nm
  6.01 X->LB                        {L,L2,R} M

scenario none is ready, some serve
  endpoints S L2/st L3/st R2/st L4/tn
  6.02 P->C                         {L2,L3,R2} nm
  6.02 X->LB                        {L2,L3,R2} M

scenario one serves, elsewhere
  endpoints S R2/st
  6.03 P->C                         {R2} nm
  6.03 X->LB                        {R2} M

scenario none serves
  endpoints S L4/tn
  6.04 P->C, X->LB                  REJECT
  delete slice S-1
  6.04 P->C, X->LB                  REJECT

scenario external policy Local: ready ones are left here
  set S externalTrafficPolicy=Local
  endpoints S L L2 R L3/st L4/tn
  6.05 P->C                         {L,L2,R} nm
  6.05 X->LB                        {L,L2} nm

scenario external policy Local: only terminating ones are left here
  set S externalTrafficPolicy=Local
  endpoints S L2/st L3/st L4/tn R
  6.06 P->C                         {R} nm
  6.06 X->LB                        {L2,L3} nm

scenario external policy Local: a terminating one is left elsewhere
  set S externalTrafficPolicy=Local
  endpoints S R2/st
  6.07 P->C                         {R2} nm
  6.07 X->LB                        DROP

scenario external policy Local: none serves
  set S externalTrafficPolicy=Local
  endpoints S L4/tn R2/tn
  6.08 P->C, X->LB                  REJECT

scenario internal policy Local and terminating endpoints
  set S internalTrafficPolicy=Local
  endpoints S L2/st R
  6.09 P->C                         {L2} nm
  endpoints S L2/tn R
  6.10 P->C                         DROP

scenario nodePort, external policy Local, terminating here
  set S type=NodePort externalTrafficPolicy=Local externalIPs=- lb=-
  endpoints S L2/st R
  6.11 X->n1:NP                     {L2} nm
  6.11 P->n1:NP                     {R} nm

scenario publishNotReadyAddresses: the slice says ready
  endpoints S L/published R/published
  6.12 P->C                         {L,R} nm

scenario one unready, one terminating
  endpoints S L/unready R/tn
  6.13 P->C                         REJECT

scenario no conditions at all
  endpoints S L/unconditional R/unconditional
  6.17 P->C                         {L,R} nm

scenario a rolling update under load
  endpoints S L R
  6.20 load k X->LB                 {L,R} M
  endpoints S L L2 R
  endpoints S L/st L2 R
  endpoints S L/tn L2 R
  endpoints S L2 R R2
  endpoints S L2 R/st R2
  endpoints S L2 R2
  6.20 X->LB                        {L2,R2} M
  6.20 no-failure k

scenario a rolling update under load, external policy Local
  set S externalTrafficPolicy=Local
  endpoints S L R
  6.20 load k X->LB                 {L} nm
  endpoints S L L2 R
  endpoints S L/st L2 R
  endpoints S L/st L2/st R
  endpoints S L/tn L2/st R
  endpoints S L2 R
  6.20 X->LB                        {L2} nm
  6.20 no-failure k

# ---- G.7 topology hints: @zones, %nodes; this node is n1 in zone-a

scenario hints for zones
  endpoints S A1@a B1@b C1@c A2@a
  7.01 P->C                         {A1,A2} nm
  # eTP Cluster: hints count for outside traffic too
  7.19 X->LB                        {A1,A2} M
  node zone=-
  7.02 P->C                         {A1,A2,B1,C1} nm
  node zone=""
  7.03 P->C                         {A1,A2,B1,C1} nm
  node zone=zone-d
  7.04 P->C                         {A1,A2,B1,C1} nm
  node zone=zone-a
  endpoints S A1@a B1@b C1@c A2@a/unready
  7.05 P->C                         {A1} nm
  endpoints S A1@a/unready B1@b C1@c A2@a/unready
  7.06 P->C                         {B1,C1} nm
  endpoints S A1@a B1@b C1 A2@a
  7.07 P->C                         {A1,A2,B1,C1} nm
  node zone=zone-c
  endpoints S A1@a+b+c B1@b+c C1@b+d A2@c
  7.09 P->C                         {A1,A2,B1} nm

scenario hints for nodes
  endpoints S A1@a%n1 B1@b%n2 C1@c%n3 A2@a%n4
  7.10 P->C                         {A1} nm
  endpoints S A1@a%n1 B1 C1@c%n3 A2@a%n4
  7.11 P->C                         {A1,A2,B1,C1} nm
  7.13 later the gate PreferSameTrafficDistribution is always on: kube-proxy locked it in 1.35

scenario hints for nodes, none for this one
  node name=n0
  endpoints S A1@a%n1 B1@b%n2 C1@c%n3 A2@a%n4
  7.12 P->C                         {A1,A2} nm

scenario hints and external policy Local
  set S externalTrafficPolicy=Local
  endpoints S L@a L2@b C1@c A2@a
  7.17 X->n1:NP                     {L,L2} nm
  7.17 P->C                         {A2,L} nm

scenario hints and internal policy Local
  set S internalTrafficPolicy=Local
  endpoints S L@a L2@b C1@c A2@a
  7.18 P->C                         {L,L2} nm
  7.18 X->n1:NP                     {A2,L} M

scenario hints for nodes count and not where the endpoint is
  endpoints S R@b%n1 L@a%n2
  7.22 P->C                         {R} nm

scenario hints and terminating endpoints
  endpoints S A1@a/st A2@a/st B1@b C1@c
  7.24 P->C                         {B1,C1} nm
  endpoints S A1@a/st A2@a/st B1@b/st C1@c/st
  7.25 P->C                         {A1,A2,B1,C1} nm
)"};
}

} // namespace sluice::proxy::cases
