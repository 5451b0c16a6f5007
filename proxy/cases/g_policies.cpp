#include "proxy/cases/texts.hpp"

namespace sluice::proxy::cases {

CaseText base_and_policies() {
  return {__FILE__, __LINE__, R"(
# ---- G.1 base matrix: both policies Cluster

scenario every source to every kind of address
  1.01 P->C                         {L,R} nm
  1.02 P->n1:NP                     {L,R} M
  1.03 P->LB                        {L,R} M
  1.04 P->E                         {L,R} M
  1.05 N->C                         {L,R} M
  1.06 N->n1:NP                     {L,R} M
  1.07 N->LB                        {L,R} M
  1.08 X->C                         {L,R} M
  1.09 X->n1:NP                     {L,R} M
  1.10 X->LB                        {L,R} M
  1.11 X->E                         {L,R} M
  1.12 Q->n1:NP                     {L,R} M
  1.13 balanced P->C                {L,R} nm
  1.14 open k P->C                  {L,R} nm
  1.14 goes-on k
  1.16 X->n1:80                     none
  1.20 moves 20 P->C                {L,R} nm
  1.20 moves 20 X->n1:NP            {L,R} M

scenario a filter of forwarded packets sees the endpoint's address and the client's
  endpoints S L
  1.15 P->C, P2->C                  {L} nm
  1.15 X->LB, XB->LB                {L} M
  host drops P->L:80
  host drops X->L:80
  1.15 P->C, X->LB                  DROP | only nftables, iptables: the model knows no other rules, and what IPVS sends passes output instead of forward
  1.15 P2->C                        {L} nm
  1.15 XB->LB                       {L} M

scenario an endpoint as a client
  set S2 clusterIPs=C2
  endpoints S2 L R
  1.21 L->C, L->C2                  {L M,R nm}
  endpoints S R
  1.21 L->C                         {R} nm

# ---- G.2 externalTrafficPolicy Local

scenario external policy Local: endpoints here and elsewhere
  set S externalTrafficPolicy=Local
  2.01 P->C                         {L,R} nm
  2.02 P->n1:NP                     {L,R} nm
  2.03 P->LB                        {L,R} nm
  2.04 P->E                         {L,R} nm
  2.05 N->C                         {L,R} M
  2.06 N->n1:NP                     {L,R} M
  2.07 N->LB                        {L,R} M
  2.08 X->n1:NP                     {L} nm
  2.09 X->LB                        {L} nm
  2.10 X->E                         {L} nm
  2.11 X->C                         {L,R} M
  2.17 N2->LB                       {L,R} M

scenario external policy Local: no endpoint here
  set S externalTrafficPolicy=Local
  endpoints S R
  2.12 X->LB, X->E, X->n1:NP        DROP
  2.12 P->LB                        {R} nm
  2.12 N->LB                        {R} M
  2.12 P->C                         {R} nm

scenario external policy Local: type NodePort
  set S type=NodePort externalTrafficPolicy=Local externalIPs=- lb=-
  2.13 X->n1:NP                     {L} nm
  endpoints S R
  2.13 X->n1:NP                     DROP

scenario external policy Local: the load balancer has no address yet
  set S externalTrafficPolicy=Local lb=-
  2.18 X->n1:NP                     {L} nm

scenario the external policy changes at run time
  set S externalTrafficPolicy=Local
  2.19 open before X->LB            {L} nm
  set S externalTrafficPolicy=Cluster
  2.19 X->LB                        {L,R} M
  2.19 open between X->LB           {L,R} M
  set S externalTrafficPolicy=Local
  2.19 X->LB                        {L} nm
  2.19 goes-on before
  2.19 goes-on between

# ---- G.3 internalTrafficPolicy Local

scenario internal policy Local: endpoints here and elsewhere
  set S internalTrafficPolicy=Local
  3.01 P->C                         {L} nm
  3.02 N->C                         {L} M
  3.03 X->C                         {L} M
  3.04 P->n1:NP                     {L,R} M
  3.05 P->LB                        {L,R} M
  3.06 N->n1:NP, N->LB              {L,R} M
  3.07 X->n1:NP, X->LB              {L,R} M

scenario internal policy Local: no endpoint here
  set S internalTrafficPolicy=Local
  endpoints S R
  3.08 P->C, N->C                   DROP
  3.08 X->LB                        {R} M
  # a client on the host's network is a process of the node
  3.10 N->C, N2->C                  DROP

scenario internal policy Local: an endpoint on the host's network
  set S internalTrafficPolicy=Local
  endpoints S H
  3.09 P->C                         {H} nm
  3.09 N->C                         {H} M

scenario internal policy Local: type ClusterIP, no slices
  set S type=ClusterIP internalTrafficPolicy=Local ports=p80/TCP/80 externalIPs=- lb=-
  delete slice S-1
  3.11 P->C                         REJECT

scenario internal policy Local: type ClusterIP, an endpoint elsewhere
  set S type=ClusterIP internalTrafficPolicy=Local ports=p80/TCP/80 externalIPs=- lb=-
  endpoints S R
  3.12 P->C                         DROP
  delete slice S-1
  3.12 P->C                         REJECT

# ---- G.4 detectors and masquerade switches

scenario no detector
  node detector=ClusterCIDR:-
  4.01 N->C, X->C                   {L,R} nm
  set S externalTrafficPolicy=Local
  4.02 P->n1:NP, P->LB              {L} nm
  4.02 N->LB                        {L,R} M

scenario masqueradeAll
  node masqueradeAll=true
  4.04 P->C                         {L,R} M
  set S externalTrafficPolicy=Local internalTrafficPolicy=Local
  4.04 P->C                         {L} M

scenario masqueradeAll without a detector
  node masqueradeAll=true detector=ClusterCIDR:-
  4.05 P->C, N->C, X->C             {L,R} M

scenario detector NodeCIDR
  node detector=NodeCIDR podCIDRs=10.0.0.0/24
  4.07 P->C                         {L,R} nm
  4.07 Q->C                         {L,R} M

scenario detector BridgeInterface
  node detector=BridgeInterface:cni0
  4.08 B->C                         {L,R} nm
  4.08 W->C                         {L,R} M
  4.11 N->C                         {L,R} M

scenario detector InterfaceNamePrefix
  node detector=InterfaceNamePrefix:veth
  4.09 V->C                         {L,R} nm
  4.09 W->C                         {L,R} M
  4.11 N->C                         {L,R} M

scenario a cluster CIDR for IPv4 alone
  dual
  set S clusterIPs=C,C6
  endpoints S L R L6 R6
  4.13 P6->C6, X6->C6               {L6,R6} nm
  4.13 P->C                         {L,R} nm
  4.13 X->C                         {L,R} M

scenario another mark bit
  node masqueradeBit=15
  endpoints S L
  host lets-through cni0 0x0/0x8000
  4.14 X->n1:NP                     {L} M

scenario packets that are not ours keep their marks
  node masqueradeBit=15
  host marks XB 0x4010
  host lets-through cni0 0x4010/0x4010
  4.14 XB->L                        none

scenario somebody else's mark stays
  endpoints S L
  host marks X 0x10
  host lets-through cni0 0x10/0x4010
  4.15 X->n1:NP                     {L} M | not ipvs: it finds a virtual service by all 32 bits

scenario the source ports of masqueraded connections
  4.16 shuffled X->n1:NP            {L,R} M

scenario a cluster CIDR of the wrong family
  4.17 elsewhere proxy/tests/options_test.cpp networks_of_pods_must_fit_the_families_of_the_host
)"};
}

} // namespace sluice::proxy::cases
