#include "proxy/cases/texts.hpp"

namespace sluice::proxy::cases {

CaseText addresses() {
  return {__FILE__, __LINE__, R"(
# ---- G.8 load balancer addresses

scenario source ranges
  only-ipv4: leading blanks and zeros are a matter of old IPv4 text; 17.06 has ranges of IPv6
  set S lb=LB1,LB2/VIP "ranges=192.168.0.0/24, 203.0.113.0/25"
  endpoints S L
  8.01 P->C                         {L} nm
  8.01 XB->C                        {L} M
  8.02 X->n1:NP, XB->n1:NP          {L} M
  8.03 X->LB1, X->LB2               {L} M
  8.04 XB->LB1, XB->LB2             DROP
  8.05 P->LB1                       DROP
  8.06 N->LB1                       {L} M
  8.12 XB->E                        {L} M
  node holds=LB1
  8.07 HLB->LB1                     {L} M
  node holds=-
  set S externalTrafficPolicy=Local
  8.14 X->LB1                       {L} nm
  8.14 XB->LB1, P->LB1              DROP

scenario sloppy text
  only-ipv4: leading zeros are a matter of old IPv4 text
  set S clusterIPs=172.30.0.041 lb=1.2.3.004 externalIPs=192.168.099.022 ranges=203.000.113.000/025
  slice S-1 service=S endpoints=10.180.00.001
  8.11 P->C                         {L} nm
  8.11 X->LB, X->E                  {L} M
  8.11 XB->LB                       DROP

scenario source ranges change at run time
  set S ranges=203.0.113.0/24
  endpoints S L
  8.15 open k XB->LB1               {L} M
  set S ranges=203.0.113.0/25
  8.15 goes-on k
  8.15 XB->LB1                      DROP
  set S ranges=-
  8.16 XB->LB1                      {L} M
  # a /0 among them filters nothing
  set S ranges=192.0.2.0/24,0.0.0.0/0
  8.16 XB->LB1                      {L} M

scenario ranges and no endpoints
  set S ranges=203.0.113.0/25
  endpoints S
  8.04 XB->LB                       DROP
  8.03 X->LB                        REJECT

scenario ipMode
  set S lb=LB1/Proxy
  8.17 X->LB1, P->LB1               none
  8.17 P->C                         {L,R} nm
  8.17 X->n1:NP                     {L,R} M
  set S lb=LB1/VIP
  8.18 X->LB1                       {L,R} M
  set S lb=LB1
  8.18 X->LB1                       {L,R} M
  set S lb=LB1/Proxy,LB2/VIP
  8.19 X->LB1                       none
  8.19 X->LB2                       {L,R} M
  set S lb=LB1/VIP,LB2/VIP
  8.19 X->LB1, X->LB2               {L,R} M

scenario a host name alone
  set S lb=lb.example/hostname
  8.20 X->LB                        none
  8.20 X->n1:NP                     {L,R} M
  8.20 P->C                         {L,R} nm

scenario no node ports
  set S ports=p80/TCP/80
  8.21 X->LB                        {L,R} M
  8.21 X->n1:NP                     none
  set S ports=p80/TCP/80/3001
  8.21 X->n1:NP                     {L,R} M

scenario the load balancer's address is replaced, then the type changes
  set S lb=LB2
  8.22 X->LB1                       none
  8.22 X->LB2                       {L,R} M
  set S lb=-
  8.22 X->LB2                       none
  set S type=ClusterIP ports=p80/TCP/80
  8.24 X->LB1, P->LB1, X->n1:NP     none
  8.24 P->C                         {L,R} nm

scenario one port number for TCP and UDP
  set S ports=t/TCP/80/3001,u/UDP/80/3001
  endpoints S L R
  8.25 X->LB, X->LB/UDP             {L,R} M
  8.25 X->n1:NP, X->n1:NP/UDP       {L,R} M

# ---- G.9 nodePorts and addresses

scenario every address of the node
  9.01 X->N2:NP                     {L,R} M

scenario addresses chosen by networks
  node nodePortAddresses=192.168.0.0/24
  9.02 X->N2:NP                     none
  9.02 X->n1:NP                     {L,R} M
  node nodePortAddresses=primary
  9.03,9.04 X->N2:NP                none
  9.03,9.04 X->n1:NP                {L,R} M
  node nodePortAddresses=192.168.0.0/24,0.0.0.0/0
  9.07 X->N2:NP                     {L,R} M

scenario networks of both families
  dual
  set S clusterIPs=C,C6
  endpoints S L R L6 R6
  node nodePortAddresses=192.168.0.0/24,192.168.1.0/24,fd04::c0a8:0/120
  9.05 X->n1:NP, X->N2:NP           {L,R} M
  9.05 X6->n16:NP                   {L6,R6} M
  9.05 X6->N26:NP                   none
  node nodePortAddresses=fd04::c0a8:0/120
  9.06 X->n1:NP, X->N2:NP           {L,R} M
  9.06 X6->N26:NP                   none

scenario primary beside networks
  9.08 elsewhere proxy/tests/options_test.cpp what_makes_no_sense_is_refused_with_a_reason

scenario loopback
  # localhostNodePorts is off: kube-proxy's nftables and IPVS modes leave loopback alone, and so
  # does every mode here
  9.10,9.12 LO->LO:NP               none
  9.10 elsewhere proxy/iptables/tests/dataplane_kernel_test.cpp loopback_is_guarded_as_long_as_it_is_open
  9.13 elsewhere proxy/iptables/tests/dataplane_kernel_test.cpp loopback_is_guarded_as_long_as_it_is_open

scenario loopback as it is asked for
  only-ipv4: IPv6 has no route_localnet
  node localhostNodePorts=true
  9.09 LO->LO:NP                    {L,R} M | only iptables, model: in other modes the option has no effect, as in kube-proxy
  9.09 X->n1:NP                     {L,R} M
  set S externalTrafficPolicy=Local
  9.09 LO->LO:NP                    {L,R} M | only iptables, model: in other modes the option has no effect, as in kube-proxy
  endpoints S
  9.09 LO->LO:NP                    REJECT | only iptables, model: in other modes the option has no effect, as in kube-proxy
  set S externalTrafficPolicy=Cluster
  endpoints S L R
  node nodePortAddresses=192.168.0.0/24
  9.11 LO->LO:NP                    none
  9.11 X->n1:NP                     {L,R} M
  node nodePortAddresses=192.168.0.0/24,127.0.0.0/8
  9.11 LO->LO:NP                    {L,R} M | only iptables, model: in other modes the option has no effect, as in kube-proxy
  node nodePortAddresses=192.168.0.0/24,127.0.0.0/8 localhostNodePorts=false
  9.11 LO->LO:NP                    none

scenario an address that somebody put on the node
  node holds=HVIP
  9.15 X->HVIP:NP                   {L,R} M
  node nodePortAddresses=primary
  9.15 X->HVIP:NP                   none
  node holds=-

scenario one node port number, two protocols, two Services
  set S2 type=NodePort clusterIPs=C2 ports=u/UDP/53/3001
  endpoints S2 L2
  9.16 X->n1:NP                     {L,R} M
  9.16 X->n1:NP/UDP                 {L2:53} M

scenario SCTP
  set S ports=s/SCTP/80/3001
  endpoints S L R
  9.18 X->n1:NP/SCTP                {L,R} M
  14.13 P->C/SCTP                   {L,R} nm

scenario a node port changes its number
  9.19 open k P->C                  {L,R} nm
  set S ports=p80/TCP/80/3002
  9.19 X->n1:3001                   none
  9.19 X->n1:3002                   {L,R} M
  9.19 P->C                         {L,R} nm
  9.19 goes-on k

scenario both families
  dual
  node detector=ClusterCIDR:10.0.0.0/8,fd04::a00:0/104
  set S clusterIPs=C,C6
  endpoints S L R L6 R6
  9.20 X6->n16:NP                   {L6,R6} M
  9.20 P6->C6                       {L6,R6} nm
  17.01 P->C                        {L,R} nm
  17.01 P6->C6                      {L6,R6} nm
  set S clusterIPs=C6,C
  17.01 P->C                        {L,R} nm
  17.01 P6->C6                      {L6,R6} nm
  17.04 open k P->C                 {L,R} nm
  set S clusterIPs=C
  17.04 P->C                        {L,R} nm
  17.04 P6->C6                      none
  17.04 goes-on k
  set S clusterIPs=C,C6
  17.04 P6->C6                      {L6,R6} nm
  17.04 P->C                        {L,R} nm
  endpoints S L L6 R6
  17.05 unchanged IPv6
  17.05 P->C                        {L} nm
  set S lb=LB,LB6 ranges=203.0.113.0/25,fd04::cb00:7100/121
  17.06 X->LB                       {L} M
  17.06 X6->LB6                     {L6,R6} M
  17.06 XB->LB, XB6->LB6            DROP
  set S ranges=203.0.113.0/25
  17.06 XB->LB                      DROP
  17.06 XB6->LB6                    {L6,R6} M
  set S clusterIPs=C6 externalIPs=- lb=- ranges=-
  17.03 P->C                        DROP
  17.03 X->n1:NP                    none
  17.03 P6->C6                      {L6,R6} nm

scenario a forwarding policy that drops
  host forwards nothing
  9.21 X->n1:NP, X->LB, Q->n1:NP   {L,R} M | only iptables: an accept in one nf_tables chain does not undo the drop in another

scenario a host without IPv6
  17.08 elsewhere proxy/tests/node/operations_test.cpp c17_08_a_host_without_ipv6_works_and_complains_of_nothing
)"};
}

} // namespace sluice::proxy::cases
