#include "app/toml_reader.h"

#include <algorithm>

#include "app/size.h"
#include "base/text.h"

namespace usbtwin::app {
namespace {

std::string Article(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::none: return "nothing";
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a floating-point number";
    case toml::node_type::boolean: return "a boolean";
    case toml::node_type::date: return "a date";
    case toml::node_type::time: return "a time";
    case toml::node_type::date_time: return "a date and time";
  }
  return "something else";
}

std::string RangeText(TomlTable::Range range) {
  return std::to_string(range.min) + " to " + std::to_string(range.max);
}

// Walks over a text and counts what the parser would go down for. It needs to be right about valid
// TOML alone: the parser stops where the text becomes invalid.
class DepthScan {
 public:
  explicit DepthScan(std::string_view text) : text_(text) {}

  // The line where the text is too deep.
  std::optional<uint32_t> FindTooDeep() {
    while (!text_.empty()) {
      const char letter = text_.front();
      if (letter == '"' || letter == '\'') {
        SkipString(letter);
      } else if (letter == '#') {
        text_.remove_prefix(std::min(text_.find('\n'), text_.size()));
      } else {
        text_.remove_prefix(1);
        if (!CountOf(letter)) return line_;
      }
    }
    return std::nullopt;
  }

 private:
  // False where a limit is passed.
  bool CountOf(char letter) {
    if (letter == '.') return ++dots_count_ < kTomlDepthMax;
    // A key ends at any of these; blanks and quotes may stand between its parts.
    if (std::string_view("\n,=[]{}").find(letter) != std::string_view::npos) dots_count_ = 0;
    if (letter == '\n') ++line_;
    if (letter == '[' || letter == '{') return ++depth_ <= kTomlDepthMax;
    if ((letter == ']' || letter == '}') && depth_ != 0) --depth_;
    return true;
  }

  void SkipString(char quote) {
    const std::string quotes(3, quote);
    const bool is_long = text_.starts_with(quotes);
    const std::string_view end = std::string_view(quotes).substr(is_long ? 0 : 2);
    text_.remove_prefix(end.size());
    while (!text_.empty() && !text_.starts_with(end)) {
      if (text_.front() == '\n' && !is_long) return;
      const bool is_escape = quote == '"' && text_.front() == '\\' && text_.size() > 1;
      const std::string_view taken = text_.substr(0, is_escape ? 2 : 1);
      line_ += static_cast<uint32_t>(std::count(taken.begin(), taken.end(), '\n'));
      text_.remove_prefix(taken.size());
    }
    text_.remove_prefix(std::min(end.size(), text_.size()));
    // Two more may stand before the three that end a string of several lines.
    for (int more = 0; is_long && more < 2 && text_.starts_with(quote); ++more) {
      text_.remove_prefix(1);
    }
  }

  std::string_view text_;
  uint32_t line_ = 1;
  size_t dots_count_ = 0;  // in this key
  size_t depth_ = 0;       // of brackets
};

toml::source_region Line(uint32_t line) {
  return {.begin = {.line = line, .column = 1}, .end = {.line = line, .column = 1}, .path = {}};
}

}  // namespace

std::optional<toml::table> ParseToml(TomlFile& file, std::string_view text) {
  const std::string depth_max = std::to_string(kTomlDepthMax);
  if (text.size() > kTomlLengthMax) {
    file.Fail(Line(1), "",
              "the text has " + Count(text.size(), "byte") + ", at most " +
                  std::to_string(kTomlLengthMax) + " are possible");
    return std::nullopt;
  }
  if (const std::optional<uint32_t> line = DepthScan(text).FindTooDeep()) {
    file.Fail(Line(*line), "",
              "nested too deep: a key has at most " + depth_max +
                  " parts, and so many brackets may be open at once");
    return std::nullopt;
  }
  toml::parse_result parsed = toml::parse(text, file.path);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    file.Fail(error.source(), "", std::string(error.description()));
    return std::nullopt;
  }
  return std::move(parsed).table();
}

void TomlFile::Fail(const toml::source_region& where, std::string_view key,
                    const std::string& what) {
  if (failure) return;
  failure = Failure{Failure::Kind::kUsage, Place(where, key) + Printable(what)};
}

std::string TomlFile::Place(const toml::source_region& where, std::string_view key) const {
  std::string text = Printable(path) + ":" + std::to_string(where.begin.line) + ": ";
  if (!key.empty()) text += "key '" + Printable(key) + "': ";
  return text;
}

std::string JoinNames(std::initializer_list<std::string_view> names) {
  std::string text;
  for (std::string_view name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

TomlTable::TomlTable(TomlFile& file, const toml::table& table, std::string name, Names keys)
    : file_(file), table_(table), name_(std::move(name)) {
  for (const auto& [key, node] : table) {
    if (std::find(keys.begin(), keys.end(), key.str()) != keys.end()) continue;
    file_.Fail(key.source(), FullName(key.str()), "unknown; known are " + JoinNames(keys));
  }
}

std::optional<bool> TomlTable::Boolean(std::string_view key) const {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<bool> value = node->value_exact<bool>();
  if (!value) FailType(key, "true or false");
  return value;
}

std::optional<int64_t> TomlTable::Integer(std::string_view key, Range range) const {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<int64_t> value = node->value_exact<int64_t>();
  if (!value) {
    FailType(key, "an integer");
  } else if (*value < range.min || *value > range.max) {
    Fail(key, std::to_string(*value) + " is not within " + RangeText(range));
    return std::nullopt;
  }
  return value;
}

std::optional<double> TomlTable::Number(std::string_view key) const {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<double> value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value) FailType(key, "a number");
  return value;
}

std::optional<TomlTable::Range> TomlTable::Interval(std::string_view key, Range range) const {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  const toml::array* array = node->as_array();
  if (array == nullptr || array->size() != 2 || !array->is_homogeneous<int64_t>()) {
    Fail(key, "not two integers such as [0, 99], the first and the last");
    return std::nullopt;
  }
  const Range found{.min = *array->get(0)->value<int64_t>(),
                    .max = *array->get(1)->value<int64_t>()};
  if (found.min < range.min || found.max > range.max || found.min > found.max) {
    Fail(key, "[" + std::to_string(found.min) + ", " + std::to_string(found.max) +
                  "] is no range within " + RangeText(range));
    return std::nullopt;
  }
  return found;
}

std::optional<std::string> TomlTable::Text(std::string_view key) const {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  std::optional<std::string> value = node->value_exact<std::string>();
  if (!value) FailType(key, "a string");
  return value;
}

std::optional<size_t> TomlTable::Choice(std::string_view key, Names names) const {
  const std::optional<std::string> text = Text(key);
  if (!text) return std::nullopt;
  const auto* const found = std::find(names.begin(), names.end(), *text);
  if (found == names.end()) {
    Fail(key, Quote(*text) + " is not one of " + JoinNames(names));
    return std::nullopt;
  }
  return static_cast<size_t>(found - names.begin());
}

std::vector<size_t> TomlTable::Choices(std::string_view key, Names names) const {
  std::vector<size_t> chosen;
  const toml::node* node = Find(key);
  if (node == nullptr) return chosen;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    FailType(key, "an array of strings");
    return chosen;
  }
  for (const toml::node& entry : *array) {
    const std::optional<std::string> text = entry.value_exact<std::string>();
    const auto* const found = text ? std::find(names.begin(), names.end(), *text) : names.end();
    const auto index = static_cast<size_t>(found - names.begin());
    if (found == names.end()) {
      file_.Fail(entry.source(), FullName(key),
                 (text ? Quote(*text) : Article(entry)) + " is not one of " + JoinNames(names));
    } else if (std::find(chosen.begin(), chosen.end(), index) != chosen.end()) {
      file_.Fail(entry.source(), FullName(key), Quote(*text) + " is there twice");
    } else {
      chosen.push_back(index);
    }
  }
  return chosen;
}

std::optional<std::vector<int64_t>> TomlTable::Integers(std::string_view key, Range range) const {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    FailType(key, "an array of integers");
    return std::nullopt;
  }
  std::vector<int64_t> values;
  for (const toml::node& entry : *array) {
    const std::optional<int64_t> value = entry.value_exact<int64_t>();
    if (!value) {
      file_.Fail(entry.source(), FullName(key), Article(entry) + ", and not an integer");
    } else if (*value < range.min || *value > range.max) {
      file_.Fail(entry.source(), FullName(key),
                 std::to_string(*value) + " is not within " + RangeText(range));
    } else if (std::find(values.begin(), values.end(), *value) != values.end()) {
      file_.Fail(entry.source(), FullName(key), std::to_string(*value) + " is there twice");
    } else {
      values.push_back(*value);
    }
  }
  return values;
}

std::optional<uint64_t> TomlTable::Size(std::string_view key) const {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (const std::optional<int64_t> number = node->value_exact<int64_t>()) {
    if (*number >= 0) return static_cast<uint64_t>(*number);
    Fail(key, std::to_string(*number) + " is no size");
    return std::nullopt;
  }
  const std::optional<std::string> text = node->value_exact<std::string>();
  if (!text) {
    FailType(key, "a size such as \"64M\"");
    return std::nullopt;
  }
  const std::optional<uint64_t> size = ParseSize(*text);
  if (!size) Fail(key, Quote(*text) + " is no size such as \"64M\", \"512k\" or \"1GiB\"");
  return size;
}

const toml::table* TomlTable::Table(std::string_view key) const {
  const toml::node* node = Find(key);
  if (node == nullptr) return nullptr;
  const toml::table* table = node->as_table();
  if (table == nullptr) FailType(key, ("a table: [" + FullName(key) + "]").c_str());
  return table;
}

std::vector<const toml::table*> TomlTable::Tables(std::string_view key) const {
  std::vector<const toml::table*> tables;
  const toml::node* node = Find(key);
  if (node == nullptr) return tables;
  const std::string wanted = "an array of tables: [[" + FullName(key) + "]]";
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    FailType(key, wanted.c_str());
    return tables;
  }
  for (const toml::node& entry : *array) {
    if (const toml::table* table = entry.as_table()) {
      tables.push_back(table);
    } else {
      file_.Fail(entry.source(), FullName(key), Article(entry) + ", and not " + wanted);
    }
  }
  return tables;
}

void TomlTable::Fail(std::string_view key, const std::string& what) const {
  file_.Fail(SourceOf(key), FullName(key), what);
}

std::string TomlTable::Place(std::string_view key) const {
  return file_.Place(SourceOf(key), FullName(key));
}

const toml::source_region& TomlTable::SourceOf(std::string_view key) const {
  const toml::node* node = Find(key);
  return node == nullptr ? table_.source() : node->source();
}

const toml::node* TomlTable::Find(std::string_view key) const {
  return table_.get(key);
}

void TomlTable::FailType(std::string_view key, const char* wanted) const {
  Fail(key, Article(*Find(key)) + ", and not " + wanted);
}

std::string TomlTable::FullName(std::string_view key) const {
  return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

}  // namespace usbtwin::app
