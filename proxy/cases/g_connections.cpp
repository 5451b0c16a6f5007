#include "proxy/cases/texts.hpp"

namespace sluice::proxy::cases {

CaseText connections() {
  return {__FILE__, __LINE__, R"(
# ---- G.11 session affinity

scenario a client keeps its endpoint
  set S affinity=10800
  endpoints S L R
  11.01 sticks P->C                 {L,R} nm
  11.02 sticks X->n1:NP, X->LB      {L,R} M
  set S externalTrafficPolicy=Local
  endpoints S L L2 R
  11.02 sticks X->n1:NP, X->LB      {L,L2} nm
  # 11.13: no crash without a time: sessionAffinityConfig is null
  set S affinity=0
  11.13 sticks P->C                 {L,L2,R} nm

scenario affinity comes and goes
  11.03 P->C                        {L,R} nm
  set S affinity=600
  11.03 sticks P->C                 {L,R} nm
  set S affinity=None
  11.03 P->C                        {L,R} nm

scenario affinity ends after the time without a connection, and each connection begins it anew
  set S affinity=2
  11.04 forgets P->C                {L,R} nm
  11.05 remembers P->C              {L,R} nm
  set S affinity=7200
  11.13 sticks P->C                 {L,R} nm

scenario the endpoint of a client goes
  set S affinity=600
  11.07 sticks P->C                 {L,R} nm
  endpoints S L2
  11.07 sticks P->C                 {L2} nm
  endpoints S L L2 R
  11.07 sticks-on P->C              {L2} nm | only packets: the model knows no client's past

scenario affinity of UDP
  set S affinity=600 ports=dns/UDP/53
  endpoints S L R
  11.12 sticks P->C:53/UDP          {L:53,R:53} nm

scenario an endpoint that answers nothing
  set S affinity=600
  endpoints S
  slice dead service=S ports=p80/TCP/9 endpoints=L
  slice alive service=S endpoints=R
  11.14 sticks P->C                 {L:9,R} nm

# ---- G.12 hairpin

scenario an endpoint reaches itself
  set S ports=p80/TCP/80/3001,u/UDP/80,s/SCTP/80
  endpoints S L
  12.01 L->C                        {L} M
  12.02 L->n1:NP                    {L} M
  12.06 L->C/UDP, L->C/SCTP         {L} M
  endpoints S H
  12.04 N->C                        {H} M

scenario nothing is left of an endpoint that went
  12.08 elsewhere proxy/nftables/tests/plan_test.cpp any_sequence_of_changes_gives_the_state_of_a_fresh_start

# ---- G.13 UDP flows

scenario a client that keeps its port, and another endpoint
  set U type=LoadBalancer clusterIPs=CU ports=dns/UDP/53/30053 externalIPs=EU lb=LB3
  endpoints U L
  13.01 from 41001 P->CU:53/UDP     {L:53} nm
  13.02 from 41002 X->n1:30053/UDP  {L:53} M
  13.02 from 41003 X->LB3:53/UDP    {L:53} M
  13.02 from 41004 N->CU:53/UDP     {L:53} M
  endpoints U R
  13.01 from 41001 P->CU:53/UDP     {R:53} nm
  13.02 from 41002 X->n1:30053/UDP  {R:53} M
  13.02 from 41003 X->LB3:53/UDP    {R:53} M
  13.02 from 41004 N->CU:53/UDP     {R:53} M
  set U internalTrafficPolicy=Local
  endpoints U L R
  13.02 from 41005 P->CU:53/UDP     {L:53} nm
  endpoints U L2 R
  13.02 from 41005 P->CU:53/UDP     {L2:53} nm

scenario a client that keeps its port, and an endpoint that becomes ready
  set U clusterIPs=CU ports=dns/UDP/53
  endpoints U L/unready
  13.03 from 41006 P->CU:53/UDP     REJECT
  endpoints U L
  13.03 from 41006 P->CU:53/UDP     {L:53} nm

scenario a client that keeps its port, and another target port
  set U type=NodePort clusterIPs=CU ports=dns/UDP/53->5353/30053
  endpoints U L
  13.04 from 41007 X->n1:30053/UDP  {L:5353} M
  set U ports=dns/UDP/53->5454/30053
  endpoints U L
  13.04 from 41007 X->n1:30053/UDP  {L:5454} M

scenario which flows are removed
  13.05 elsewhere proxy/tests/conntrack_cleanup_test.cpp c13_05_flows_to_what_does_not_serve_are_stale_on_every_address
  13.05 elsewhere proxy/tests/conntrack_cleanup_test.cpp c13_05_endpoints_that_serve_their_last_connections_keep_them
  13.06,13.07,13.20 elsewhere proxy/tests/conntrack_cleanup_test.cpp c13_06_07_20_other_ports_and_protocols_are_left_alone
  13.08 elsewhere proxy/tests/conntrack_cleanup_test.cpp c13_08_flows_older_than_the_rules_are_stale_once_there_are_endpoints
  13.08 elsewhere proxy/tests/node/udp_flows_test.cpp a_flow_older_than_the_rules_is_translated_once_they_are_there
  13.16,13.17 elsewhere proxy/tests/conntrack_cleanup_test.cpp c13_16_17_nothing_is_looked_for_if_nothing_can_be_stale
  13.17,13.18 elsewhere proxy/tests/node/udp_flows_test.cpp flows_to_endpoints_that_stay_outlive_fifty_changes_and_a_restart

scenario nodePort flows through each address of the node
  # 13.19: as every scenario, it runs in IPv6 too
  set U type=NodePort clusterIPs=CU ports=dns/UDP/53/30053
  endpoints U L
  13.09,13.19 from 41011 X->N2:30053/UDP  {L:53} M
  13.09,13.19 from 41012 X->n1:30053/UDP  {L:53} M
  endpoints U R
  13.09,13.19 from 41011 X->N2:30053/UDP  {R:53} M
  13.09,13.19 from 41012 X->n1:30053/UDP  {R:53} M

# ---- G.14 edges

scenario what matches no service port
  14.01 P->C:81                     REJECT
  14.02 P->C/UDP                    REJECT
  14.03 P->FREE                     DROP
  14.04 P->C/ping                   REJECT

scenario an endpoint's port is closed
  set S ports=dns/UDP/53->9
  endpoints S L
  14.09 P->C:53/UDP                 {L:9} nm

scenario established connections outlive what happens
  14.12 open k P->C                 {L,R} nm
  14.12 open m X->n1:NP             {L,R} M
  set S2 clusterIPs=C2
  endpoints S2 L2
  14.12 goes-on k
  plane resync
  14.12 goes-on k
  set S ports=other/TCP/80/3001,more/TCP/81
  endpoints S L L2
  14.12 goes-on k
  14.12 goes-on m
  plane restart
  14.12 goes-on k
  14.12 goes-on m
  14.16 closes P->C                 {L,L2} nm
  14.16 resets P->C                 {L,L2} nm

scenario one source port for two addresses of an endpoint
  endpoints S L
  set S2 clusterIPs=C2
  endpoints S2 L
  14.12 open k P->C                 {L} nm
  14.12 beside k P->E               {L} M
  14.12 beside k P->C2              {L} nm
  14.12 goes-on k | not ipvs: it tells answers by client and endpoint alone

scenario segments out of the window
  14.10 elsewhere proxy/tests/node/window_test.cpp an_answer_out_of_the_window_does_not_end_the_connection
  14.11 elsewhere proxy/tests/node/window_test.cpp an_answer_whose_question_went_another_way_passes_the_node

scenario the proxy's sysctls
  14.14 elsewhere proxy/tests/node/config_test.cpp init_only_writes_sysctls_only_if_it_may
  14.14 elsewhere proxy/tests/sysctls_test.cpp what_is_too_low_is_raised_and_nothing_is_lowered

# ---- G.15 health endpoints

scenario health endpoints
  15.01,15.02 elsewhere proxy/tests/health_ports_test.cpp the_answer_is_kube_proxys
  15.05 elsewhere proxy/tests/health_ports_test.cpp ready_local_addresses_count_once
  15.07 elsewhere proxy/tests/health_ports_test.cpp they_come_and_go_with_their_services
  15.09 elsewhere proxy/tests/health_ports_test.cpp any_method_and_path_get_the_answer
  15.10,15.11 elsewhere proxy/tests/health_ports_test.cpp it_follows_the_addresses_of_node_ports
  15.12 elsewhere proxy/tests/health_ports_test.cpp only_load_balancers_with_policy_local_have_a_port
  15.13 elsewhere proxy/tests/node/sluice_proxy_test.cpp health_metrics_and_explanations_are_there
  15.14,15.15,15.16 elsewhere proxy/tests/node/operations_test.cpp a_node_that_is_about_to_go_is_not_healthy_but_alive
  15.18 elsewhere proxy/tests/runner_test.cpp a_family_that_cannot_be_synced_turns_unhealthy_and_says_which

# ---- G.16 life cycle

scenario a Service comes, gets endpoints, changes and goes
  set S2 clusterIPs=C2
  endpoints S2 R
  16.04 P->C2                       {R} nm
  set S3 clusterIPs=C3
  16.04 touches S3
  16.04 P->C3                       REJECT
  endpoints S3 L2
  16.04 touches S3
  16.04 P->C3                       {L2} nm
  endpoints S3 R2
  16.05 touches S3
  16.05 P->C3                       {R2} nm
  delete S3
  delete slice S3-1
  16.04 touches S3
  16.04,16.17 P->C3                 DROP
  16.04 P->C2                       {R} nm

scenario more than a thousand endpoints
  endpoints S 10.181.0.0+[1-1200]
  16.11 P->C                        {10.181.0.0+[1-1200]} nm
  16.11 X->LB                       {10.181.0.0+[1-1200]} M

scenario what is left after clean-up
  plane remove
  16.13 P->C, X->LB                 none | only packets: the model is still there
  16.13 X->n1:NP                    none | only packets: the model is still there
  16.13 elsewhere proxy/tests/node/sluice_proxy_test.cpp cleanup_leaves_nothing_of_ours_and_everything_of_others

scenario the daemon's life
  16.01 elsewhere proxy/tests/runner_test.cpp the_kernel_is_untouched_until_every_kind_is_listed
  16.03 elsewhere proxy/tests/node/sluice_proxy_test.cpp what_changed_while_it_was_away_is_right_after_the_start
  16.06 elsewhere proxy/tests/runner_test.cpp an_object_delivered_again_writes_nothing
  16.07 elsewhere proxy/tests/family_sync_test.cpp changes_within_the_least_interval_are_merged
  16.09 elsewhere proxy/tests/node/sluice_proxy_test.cpp a_table_that_somebody_flushed_or_deleted_is_back_within_seconds
  16.10 elsewhere proxy/nftables/tests/packets_test.cpp what_was_flushed_by_hand_is_found_and_repaired
  16.15 elsewhere proxy/tests/node/config_test.cpp a_change_of_what_the_rules_say_is_taken_over_in_place
  16.15 elsewhere proxy/tests/node/config_test.cpp a_bad_file_changes_nothing_and_is_told_until_it_is_good_again
  16.17 elsewhere proxy/tests/runner_test.cpp a_deleted_service_goes_even_if_its_last_state_is_not_known
  16.18 elsewhere proxy/tests/node/sluice_proxy_test.cpp an_api_server_that_goes_away_and_comes_back_costs_nothing
  16.21 later it is a measurement and no case: docs/benchmarks.md
  16.22 elsewhere proxy/tests/runner_test.cpp after_a_commit_flows_and_health_ports_are_told

# ---- G.17 dual stack: beside 9.20, in the table of addresses

scenario one family changes
  17.05 elsewhere proxy/tests/runner_test.cpp a_change_of_one_family_writes_nothing_of_the_other

# ---- G.18 metrics

scenario metrics
  18.01,18.02 elsewhere proxy/tests/health_ports_test.cpp c18_01_02_gaps_of_policy_local_are_counted_by_policy
  18.04 elsewhere proxy/tests/runner_test.cpp each_trigger_time_after_our_start_is_observed_once
  18.05 elsewhere proxy/tests/runner_test.cpp c18_05_nothing_is_pending_after_a_sync_that_was_asked_for_before
)"};
}

} // namespace sluice::proxy::cases
