#pragma once
// The pieces of the table. The numbers are those of section G of the behaviour reference that the
// model was written from (kube-proxy 1.36).

#include "proxy/cases/case.hpp"

namespace sluice::proxy::cases {

CaseText base_and_policies(); ///< 1 to 4
CaseText endpoints();         ///< 5 to 7
CaseText addresses();         ///< 8, 9, 17
CaseText objects();           ///< 10
CaseText connections();       ///< 11 to 16, 18

} // namespace sluice::proxy::cases
