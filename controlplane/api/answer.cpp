#include "controlplane/api/answer.hpp"

#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {

Answer text_answer(int status, std::string text, std::string content_type) {
  Answer answer;
  answer.status = status;
  answer.contentType = std::move(content_type);
  answer.headers.emplace_back("Cache-Control", "no-cache, private");
  answer.body = std::make_shared<const std::string>(std::move(text));
  return answer;
}

Answer bytes_answer(int status, std::shared_ptr<const std::string> bytes) {
  Answer answer;
  answer.status = status;
  answer.headers.emplace_back("Cache-Control", "no-cache, private");
  answer.body = std::move(bytes);
  return answer;
}

Answer json_answer(int status, const json &document) {
  return text_answer(status, dump(document) + "\n", "application/json");
}

Answer error_answer(const ApiError &error) {
  auto answer = text_answer(error.code, to_text(error) + "\n", "application/json");
  if (error.retryAfterSeconds > 0)
    answer.headers.emplace_back("Retry-After", std::to_string(error.retryAfterSeconds));
  return answer;
}

Answer success_answer(int status, const json &details) {
  json document = {{"kind", "Status"},
                   {"apiVersion", "v1"},
                   {"metadata", json::object()},
                   {"status", "Success"}};
  if (!details.is_null())
    document["details"] = details;
  return json_answer(status, document);
}

void add_warnings(Answer &answer, const std::vector<std::string> &warnings) {
  for (const auto &warning : warnings) {
    std::string quoted;
    for (const char c : warning) {
      if (c == '"' || c == '\\')
        quoted += '\\';
      quoted += c >= ' ' ? c : ' ';
    }
    answer.headers.emplace_back("Warning", "299 - \"" + quoted + "\"");
  }
}

} // namespace sluice::controlplane
