#include "tools/conform_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace usbtwin::tools {

using conform::Verdict;

namespace {

std::string NameOf(const ConformResult& result) {
  return std::string(result.suite) + "/" + result.what->name;
}

std::string Summary(const ConformReport& report) {
  return fmt::format("{} passed, {} failed, {} skipped", report.Count(Verdict::kPass),
                     report.Count(Verdict::kFail), report.Count(Verdict::kSkip));
}

// Text between tags. What a device says of itself may hold anything.
std::string Escape(const std::string& text) {
  std::string escaped;
  for (const char character : text) {
    switch (character) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += character;
    }
  }
  return escaped;
}

constexpr const char* kStyle =
    "body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}"
    "td.pass{color:#06661f}td.fail{color:#a40000;font-weight:bold}td.skip{color:#666}"
    "code{font-family:ui-monospace,monospace}";

}  // namespace

size_t ConformReport::Count(Verdict verdict) const {
  return static_cast<size_t>(std::count_if(
      results.begin(), results.end(),
      [verdict](const ConformResult& result) { return result.finding.verdict == verdict; }));
}

std::string ConformText(const ConformReport& report) {
  std::string text = report.device + ": " + report.product + "\n\n";
  size_t name_width = 0;
  size_t clause_width = 0;
  for (const ConformResult& result : report.results) {
    name_width = std::max(name_width, NameOf(result).size());
    clause_width = std::max(clause_width, std::string_view(result.what->clause).size());
  }
  for (const ConformResult& result : report.results) {
    text += fmt::format("{:<4}  {:<{}}  {:<{}}  {}\n", conform::Name(result.finding.verdict),
                        NameOf(result), name_width, result.what->clause, clause_width,
                        result.what->checks);
    if (!result.finding.text.empty()) text += fmt::format("{:>6}{}\n", "", result.finding.text);
  }
  return PrintableLines(text) + "\n" + Summary(report) + "\n";
}

Json ConformJson(const ConformReport& report) {
  Json json;
  json["device"] = report.device;
  json["product"] = report.product;
  json["passed"] = report.Count(Verdict::kPass);
  json["failed"] = report.Count(Verdict::kFail);
  json["skipped"] = report.Count(Verdict::kSkip);
  json["results"] = Json::array();
  for (const ConformResult& result : report.results) {
    Json entry;
    entry["suite"] = result.suite;
    entry["case"] = result.what->name;
    entry["verdict"] = conform::Name(result.finding.verdict);
    entry["clause"] = result.what->clause;
    entry["checks"] = result.what->checks;
    entry["text"] = result.finding.text;
    json["results"].push_back(entry);
  }
  return json;
}

std::string ConformHtml(const ConformReport& report) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<title>Conformance of {0}</title>\n<style>{1}</style>\n</head>\n<body>\n"
      "<h1>Conformance of {0}</h1>\n<p>{2}</p>\n<p><strong>{3}</strong></p>\n<table>\n"
      "<tr><th>verdict</th><th>case</th><th>clause</th><th>what must be so, and what was "
      "found</th></tr>\n",
      Escape(report.device), kStyle, Escape(report.product), Summary(report));
  for (const ConformResult& result : report.results) {
    const char* const verdict = conform::Name(result.finding.verdict);
    const std::string found =
        result.finding.text.empty() ? "" : "<br>" + Escape(Printable(result.finding.text));
    html += fmt::format(
        "<tr><td class=\"{0}\">{0}</td><td><code>{1}</code></td><td>{2}</td><td>{3}{4}</td></tr>\n",
        verdict, NameOf(result), Escape(result.what->clause), Escape(result.what->checks), found);
  }
  return html + "</table>\n</body>\n</html>\n";
}

std::string CaseList(const std::vector<conform::Suite>& suites) {
  std::string text;
  for (const conform::Suite& suite : suites) {
    text += fmt::format("{}: {}\n", suite.name, suite.checks);
    for (const conform::Case& one : suite.cases) {
      text += fmt::format("  {:<20} {:<28} {}{}\n", one.name, one.clause, one.checks,
                          one.writes ? " (writes)" : "");
    }
  }
  return text;
}

}  // namespace usbtwin::tools
