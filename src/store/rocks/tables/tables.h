// All tables of a database.
#pragma once

#include "store/rocks/tables/attempt_table.h"
#include "store/rocks/tables/class_table.h"
#include "store/rocks/tables/clock_table.h"
#include "store/rocks/tables/domain_table.h"
#include "store/rocks/tables/endpoint_table.h"
#include "store/rocks/tables/exception_table.h"
#include "store/rocks/tables/floor_table.h"
#include "store/rocks/tables/id_table.h"
#include "store/rocks/tables/lane_table.h"
#include "store/rocks/tables/log_table.h"
#include "store/rocks/tables/mark_table.h"
#include "store/rocks/tables/number_table.h"
#include "store/rocks/tables/term_table.h"
#include "store/rocks/tables/time_table.h"
#include "store/rocks/tables/try_table.h"
#include "store/rocks/tables/value_table.h"

namespace eventhorn::store {

struct Tables {
  /// `database` must outlive this.
  explicit Tables(const Database& database)
      : log(database),
        ids(database),
        times(database),
        classes(database),
        attempts(database),
        tries(database),
        terms(database),
        domains(database),
        lanes(database),
        exceptions(database),
        endpoints(database),
        marks(database),
        values(database),
        numbers(database),
        floors(database),
        clock(database) {}

  // A family each.
  LogTable log;
  IdTable ids;
  TimeTable times;
  ClassTable classes;
  AttemptTable attempts;
  TryTable tries;
  TermTable terms;
  // Of the family `default`.
  DomainTable domains;
  LaneTable lanes;
  ExceptionTable exceptions;
  EndpointTable endpoints;
  MarkTable marks;
  ValueTable values;
  NumberTable numbers;
  FloorTable floors;
  ClockTable clock;
};

}  // namespace eventhorn::store
