// The report of usbtwin conform: a table for people, JSON for programs, and one page of HTML that
// needs nothing but itself.
#pragma once

#include <string>
#include <vector>

#include "conform/case.h"
#include "tools/json_text.h"

namespace usbtwin::tools {

struct ConformResult {
  const char* suite = "";
  const conform::Case* what = nullptr;
  conform::Finding finding;
};

struct ConformReport {
  std::string device;   // as it was named
  std::string product;  // what it says it is
  std::vector<ConformResult> results;

  size_t Count(conform::Verdict verdict) const;
};

std::string ConformText(const ConformReport& report);
Json ConformJson(const ConformReport& report);
std::string ConformHtml(const ConformReport& report);
// Every case of these suites, for --list.
std::string CaseList(const std::vector<conform::Suite>& suites);

}  // namespace usbtwin::tools
