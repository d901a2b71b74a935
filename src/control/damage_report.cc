#include "control/damage_report.h"

#include "base/log.h"

namespace eventhorn::control {

DamageReport::DamageReport(NoticeBoard& board, const Clock& clock)
    : board_(board),
      clock_(clock),
      events_(metrics::counter("eventhorn_events_damaged_total",
                               "Events that pages left out, because their records in the log are "
                               "damaged; each is counted once")) {}

void DamageReport::add(const std::string& domain, const std::vector<std::string>& ids) {
  for (const auto& id : ids) {
    {
      const std::lock_guard lock(mutex_);
      if (told_.size() == kMaxEvents || !told_.insert(domain + '/' + id).second) continue;
    }
    events_.add();
    log_error("control", "event {} of {} is damaged in the log; pages leave it out", id, domain);
    Notice notice;
    notice.kind = NoticeKind::kDamaged;
    notice.at = clock_.now();
    notice.domain = domain;
    notice.event = id;
    notice.reason = "its record in the log is damaged; stop the server and run `eventhorn repair`";
    board_.post(std::move(notice));
  }
}

}  // namespace eventhorn::control
