#include "proxy/cases/texts.hpp"

namespace sluice::proxy::cases {

CaseText objects() {
  return {__FILE__, __LINE__, R"(
# ---- G.10 the object model

scenario Services without an address
  set S clusterIPs=None
  10.01 P->C                        DROP
  10.01 X->LB, X->n1:NP             none
  set S clusterIPs=-
  10.01 P->C                        DROP
  10.01 X->LB, X->n1:NP             none

scenario ExternalName
  set S type=ExternalName
  10.02 P->C                        DROP
  10.02 X->n1:NP                    none
  set S type=ClusterIP ports=p80/TCP/80 externalIPs=- lb=-
  10.03 P->C                        {L,R} nm
  set S type=ExternalName clusterIPs=-
  10.03 P->C                        DROP
  set S type=NodePort clusterIPs=C ports=p80/TCP/80/3001
  10.03 X->n1:NP                    {L,R} M
  set S type=ExternalName clusterIPs=-
  10.03 X->n1:NP                    none
  10.03 P->C                        DROP

scenario Services of another proxy
  set S labels=service.kubernetes.io/service-proxy-name:foo
  10.04 P->C                        DROP
  10.04 X->LB, X->n1:NP             none
  set S labels=-
  10.04 P->C                        {L,R} nm
  set S labels=service.kubernetes.io/service-proxy-name
  10.05 P->C                        DROP
  set S labels=-
  10.05 P->C                        {L,R} nm

scenario slices of headless Services
  slice S-1 service=S labels=service.kubernetes.io/headless endpoints=L,R
  10.06 P->C                        REJECT
  slice S-1 service=S endpoints=L,R
  10.06 P->C                        {L,R} nm

scenario several ports
  set S ports=http/TCP/80,https/TCP/443->8443
  endpoints S L R
  10.08 P->C:443                    {L:8443,R:8443} nm
  10.08 P->C                        {L,R} nm
  set S ports=t/TCP/53->5353,u/UDP/53,s/SCTP/53
  endpoints S L
  10.09 P->C:53                     {L:5353} nm
  10.09 P->C:53/UDP                 {L:53} nm
  10.09 P->C:53/SCTP                {L:53} nm

scenario names of ports
  set S ports=/TCP/80/3001
  slice S-1 service=S ports=/TCP/80 endpoints=L,R
  10.10 P->C                        {L,R} nm
  slice S-1 service=S ports=null/TCP/80 endpoints=L,R
  10.11 P->C                        REJECT

scenario a named target port
  endpoints S
  slice one service=S ports=p80/TCP/8080 endpoints=L
  slice two service=S ports=p80/TCP/9090 endpoints=R
  10.14 P->C                        {L:8080,R:9090} nm

scenario several slices
  endpoints S L
  slice two service=S endpoints=L2,R
  10.15 P->C                        {L,L2,R} nm
  delete slice two
  10.15 P->C                        {L} nm
  # one address in two: the one that does not terminate counts
  endpoints S L/st R
  slice two service=S endpoints=L
  10.15 P->C                        {L,R} nm

scenario slices that belong to no Service
  delete slice S-1
  slice one service=S namespace=ns2 endpoints=L
  10.18 P->C                        REJECT
  slice two unlabelled=true endpoints=L
  10.18 P->C                        REJECT
  slice three service=S addressType=FQDN endpoints=L
  10.19 P->C                        REJECT

scenario slices of another family
  only-ipv4: it is the other family that is meant
  slice S-1 service=S addressType=IPv6 endpoints=L,R
  10.19 P->C                        REJECT

scenario addresses of endpoints
  endpoints S L&R
  10.20 P->C                        {L} nm
  endpoints S - R
  10.21 P->C                        {R} nm

scenario what comes first
  slice three service=S3 endpoints=L
  set S3 clusterIPs=C3
  10.23 P->C3                       {L} nm

scenario what is a change
  10.25 P->C                        {L,R} nm
  set S clusterIPs=C
  endpoints S L R
  10.25,16.06 unchanged
  endpoints S R L
  10.25 unchanged
  set S ports=p80/TCP/80/3001,more/TCP/81
  10.25 changed
  set S ports=p80/TCP/80/3001
  10.25 changed
  endpoints S L R R2
  10.25 changed
  set S2 clusterIPs=C2
  endpoints S2 L
  delete S2
  delete slice S2-1
  10.26 unchanged
  10.26 P->C2                       DROP

scenario endpoints change their ports
  set S ports=a/TCP/80,b/TCP/81->8081
  endpoints S L R
  10.27 P->C                        {L,R} nm
  10.27 P->C:81                     {L:8081,R:8081} nm
  slice S-1 service=S ports=a/TCP/8080,b/TCP/8081 endpoints=L,R
  10.27 P->C                        {L:8080,R:8080} nm
  slice S-1 service=S ports=x/TCP/8080,b/TCP/8081 endpoints=L,R
  10.27 P->C                        REJECT
  10.27 P->C:81                     {L:8081,R:8081} nm
  slice S-1 service=S ports=a/TCP/8080 endpoints=L,R
  10.27 P->C:81                     REJECT
  10.27 P->C                        {L:8080,R:8080} nm
  slice S-1 service=S ports=a/TCP/8080 endpoints=R
  10.27 P->C                        {R:8080} nm
  slice S-1 service=S ports=a/TCP/8080
  10.27 P->C                        REJECT

scenario Service ports come, go and change their numbers
  set S ports=a/TCP/80
  endpoints S L R
  set S ports=a/TCP/80,b/TCP/81
  10.28 P->C                        {L,R} nm
  10.28 P->C:81                     REJECT
  endpoints S L R
  10.28 P->C:81                     {L:81,R:81} nm
  set S ports=a/TCP/80,b/TCP/82
  10.28 P->C                        {L,R} nm
  10.28 P->C:81                     REJECT
  10.28 P->C:82                     {L:81,R:81} nm
  set S ports=b/TCP/82
  10.28 P->C                        REJECT
  10.28 P->C:82                     {L:81,R:81} nm

scenario a Service is deleted and made again
  delete S
  10.30 P->C                        DROP
  set S clusterIPs=C
  10.30 P->C                        {L,R} nm
  delete S
  set S clusterIPs=C2
  10.30 P->C                        DROP
  10.30 P->C2                       {L,R} nm

scenario Services come and go beside others
  set S2 clusterIPs=C2
  endpoints S2 L
  10.31 open k P->C2                {L} nm
  delete S
  10.31 P->C                        DROP
  10.31 P->C2                       {L} nm
  set S3 clusterIPs=C3
  endpoints S3 R
  10.31 P->C3                       {R} nm
  10.31 P->C2                       {L} nm
  10.31 goes-on k

scenario the gate AllowServiceExternalIPs
  10.32 elsewhere proxy/tests/node/operations_test.cpp c10_32_without_the_gate_externalips_do_nothing

scenario long names
  set 1svc clusterIPs=C2 ports=p23456789012345/TCP/80
  endpoints 1svc L
  10.33 P->C2                       {L} nm
  set s23456789012345678901234567890123456789012345678901234567890123 clusterIPs=C3
  endpoints s23456789012345678901234567890123456789012345678901234567890123 R
  10.33 P->C3                       {R} nm

scenario a hundred ports, a hundred endpoints
  set S ports=p[1-100]/TCP/[1-100]->80
  endpoints S 10.181.0.0+[1-100]
  10.34 P->C:1, P->C:50, P->C:100   {10.181.0.0+[1-100]} nm

scenario two Services with the same endpoints
  set S2 clusterIPs=C2
  endpoints S2 L R
  10.35 P->C, P->C2                 {L,R} nm
  endpoints S2 R
  10.35 P->C                        {L,R} nm
  10.35 P->C2                       {R} nm
  delete S2
  10.35 P->C                        {L,R} nm
)"};
}

} // namespace sluice::proxy::cases
