#include "kernel/nft/batch.hpp"

namespace sluice::kernel::nft {
namespace {

std::string join_names(const std::vector<Type> &types) {
  std::string text;
  for (const auto type : types)
    text += (text.empty() ? "" : " . ") + std::string(name_of(type));
  return text;
}

std::string milliseconds(std::chrono::milliseconds time) {
  return std::to_string(time.count()) + "ms";
}

std::string with_comment(const std::string &comment) {
  return comment.empty() ? "" : " comment \"" + comment + "\"";
}

std::string flags_of(const Set &set) {
  std::string text;
  const auto add = [&](bool on, const char *name) {
    if (on)
      text += (text.empty() ? " flags " : ",") + std::string(name);
  };
  add(set.constant, "constant");
  add(set.interval, "interval");
  add(set.timeouts, "timeout");
  add(set.dynamic, "dynamic");
  return text.empty() ? text : text + ";";
}

std::string body_of(const Set &set) {
  std::string text = " { type " + join_names(set.key);
  if (set.verdicts)
    text += " : verdict";
  else if (!set.data.empty())
    text += " : " + join_names(set.data);
  text += ";";
  if (set.size > 0)
    text += " size " + std::to_string(set.size) + ";";
  text += flags_of(set);
  if (set.default_timeout.count() > 0)
    text += " timeout " + milliseconds(set.default_timeout) + ";";
  return text + " }";
}

std::string body_of(const BaseChain &base) {
  return " { type " + std::string(name_of(base.type)) + " hook " + std::string(name_of(base.hook)) +
         " priority " + std::to_string(base.priority) + "; policy " +
         (base.drop_by_default ? "drop" : "accept") + "; }";
}

std::string body_of(const Element &element) {
  std::string text = " { " + element.key.str();
  if (element.interval_end)
    text += " (end)";
  if (element.timeout.count() > 0)
    text += " timeout " + milliseconds(element.timeout);
  text += with_comment(element.comment);
  if (element.verdict)
    text += " : " + element.verdict->str();
  else if (!element.data.empty())
    text += " : " + element.data.str();
  return text + " }";
}

struct Describe {
  const TableId &table;
  Verb verb;
  std::size_t element;

  std::string head(std::string_view kind) const {
    return std::string(name_of(verb)) + " " + std::string(kind) + " " + table.str();
  }
  bool full() const { return verb != Verb::remove; }

  std::string operator()(const TableOp &op) const {
    return head("table") + (full() ? with_comment(op.comment) : "");
  }
  std::string operator()(const Chain &chain) const {
    return head("chain") + " " + chain.name + (chain.base && full() ? body_of(*chain.base) : "");
  }
  std::string operator()(const Set &set) const {
    return head(set.is_map() ? "map" : "set") + " " + set.name + (full() ? body_of(set) : "");
  }
  std::string operator()(const ElementsOp &op) const {
    return head("element") + " " + op.set +
           (element < op.elements.size() ? body_of(op.elements[element]) : "");
  }
  std::string operator()(const Rule &rule) const {
    return head("rule") + " " + rule.chain + " " + text_of(table.family, rule) +
           with_comment(rule.comment);
  }
  std::string operator()(const RuleHandle &rule) const {
    return head("rule") + " " + rule.chain + " handle " + std::to_string(rule.handle);
  }
  std::string operator()(const FlushSet &flush) const { return head("set") + " " + flush.set; }
  std::string operator()(const FlushChain &flush) const {
    return flush.chain.empty() ? head("table") : head("chain") + " " + flush.chain;
  }
};

std::size_t bytes_of(const Element &element) {
  return 40 + element.key.size() + element.data.size() +
         (element.verdict ? 32 + element.verdict->chain.size() : 0) + element.comment.size();
}

struct BytesOf {
  std::size_t operator()(const TableOp &) const { return 64; }
  std::size_t operator()(const Chain &) const { return 128; }
  std::size_t operator()(const Set &) const { return 192; }
  std::size_t operator()(const Rule &rule) const { return 128 + 96 * rule.exprs.size(); }
  std::size_t operator()(const RuleHandle &) const { return 64; }
  std::size_t operator()(const FlushSet &) const { return 64; }
  std::size_t operator()(const FlushChain &) const { return 64; }
  std::size_t operator()(const ElementsOp &op) const { // with its first element
    return 64 + op.set.size() + bytes_of(op.elements.front());
  }
};

} // namespace

std::string_view name_of(Verb verb) noexcept {
  switch (verb) {
  case Verb::add:
    return "add";
  case Verb::create:
    return "create";
  case Verb::remove:
    return "delete";
  case Verb::flush:
    return "flush";
  }
  return "unknown";
}

Batch &Batch::put(Verb verb, decltype(Op::object) object) {
  bytes_estimate_ += std::visit(BytesOf{}, object);
  ops_.push_back(Op{verb, std::move(object)});
  ++size_;
  return *this;
}

Batch &Batch::put_element(Verb verb, std::string_view set, Element element) {
  if (!ops_.empty() && ops_.back().verb == verb)
    if (auto *last = std::get_if<ElementsOp>(&ops_.back().object); last && last->set == set) {
      bytes_estimate_ += bytes_of(element);
      last->elements.push_back(std::move(element));
      ++size_;
      return *this;
    }
  ElementsOp op{.set = std::string(set), .elements = {}};
  op.elements.push_back(std::move(element));
  return put(verb, std::move(op));
}

Batch &Batch::replace(std::string_view set, Element element) {
  remove(set, element.key);
  return add(set, std::move(element));
}

Batch &Batch::append(Batch other) {
  std::move(other.ops_.begin(), other.ops_.end(), std::back_inserter(ops_));
  size_ += other.size_;
  bytes_estimate_ += other.bytes_estimate_;
  return *this;
}

std::string Batch::str() const {
  std::string text;
  for (const auto &op : ops_) {
    const auto *elements = std::get_if<ElementsOp>(&op.object);
    const auto lines = elements == nullptr ? 1 : elements->elements.size();
    for (std::size_t i = 0; i < lines; ++i)
      text += describe(table_, op, i) + "\n";
  }
  return text;
}

std::string describe(const TableId &table, const Op &op, std::size_t element) {
  return std::visit(Describe{table, op.verb, element}, op.object);
}

} // namespace sluice::kernel::nft
