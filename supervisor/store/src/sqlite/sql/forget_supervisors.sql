-- Those that started long ago are forgotten, as their executions mostly are. ?1: before when.
DELETE FROM supervisors WHERE started_at < ?1
