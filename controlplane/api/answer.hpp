#pragma once
// Answers in the words of the API.

#include "controlplane/registry/api_error.hpp"
#include "kube/http/server.hpp"

namespace sluice::controlplane {

using Answer = kube::http::Response;

Answer text_answer(int status, std::string text, std::string content_type = "text/plain");
Answer bytes_answer(int status, std::shared_ptr<const std::string> bytes);
Answer json_answer(int status, const json &document);
Answer error_answer(const ApiError &error);
/// {"kind":"Status","status":"Success"} with `details`, if not null.
Answer success_answer(int status, const json &details);
/// `Warning: 299 - "..."` for each.
void add_warnings(Answer &answer, const std::vector<std::string> &warnings);

} // namespace sluice::controlplane
