import { fixedLimits } from '../../../limits/fixed-limits.ts';

/**
 * Redis's clock, with the same rules as the clock of a log on one machine: a clock that has jumped forward is
 * on trial, and a timestamp in the future counts as the present at the latest. The state is in the log, so
 * that it survives this process.
 */
export const clockLua: string = String.raw`
local step_ms, trial_ms = ${fixedLimits.clockStepMs.value}, ${fixedLimits.clockTrialMs.value}
local clock_steps_max = 100
local step_format = '<ddd'

-- Only tests set their own clock.
local function redis_time(test_clock)
  if test_clock then return math.max(0, tonumber(test_clock)) end
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function begin_clock(log)
  log.shown, log.trusted, log.running, log.steady, log.on_trial, log.trial_since = log.now, log.now, 0, 0, 0, 0
end

local function read_steps(log, steps)
  log.steps = {}
  for at = 1, #(steps or ''), 24 do
    local sequence, before, after = struct.unpack(step_format, steps, at)
    log.steps[#log.steps + 1] = { sequence = sequence, before = before, after = after }
  end
end

local function written_steps(log)
  local written = {}
  for at, step in ipairs(log.steps) do
    written[at] = struct.pack(step_format, step.sequence, step.before, step.after)
  end
  return table.concat(written)
end

-- The time of the clock, but never a small step back.
local function next_timestamp(last, shown)
  if last > shown and last - shown <= step_ms then return last end
  return shown
end

local function merged(one, following)
  return { sequence = following.sequence, before = math.max(one.before, following.before), after = following.after }
end

local function note_step(steps, step)
  local last = steps[#steps]
  if last and last.sequence == step.sequence then
    steps[#steps] = merged(last, step)
    return
  end
  if #steps >= clock_steps_max then
    steps[2] = merged(steps[1], steps[2])
    table.remove(steps, 1)
  end
  steps[#steps + 1] = step
end

-- After the clock was set right, messages from before may be too old earlier than was noted.
local function forget_dues(log)
  local due, old = log.prefix .. 'due', log.prefix .. 'due:old'
  if call('EXISTS', due) == 0 then return end
  if call('EXISTS', old) == 0 then
    call('RENAME', due, old)
  else
    call('ZUNIONSTORE', old, 2, old, due)
    call('DEL', due)
  end
end

-- MUST be called every few seconds: a longer pause looks like a jump.
local function sample_clock(log)
  local step = log.now - log.shown
  local is_jump = math.abs(step) > step_ms
  log.shown = log.now
  if is_jump then
    log.steady = 0
    log.trial_since = -1
  else
    log.steady = log.steady + math.max(0, step)
    log.running = log.running + math.max(0, step)
    log.trusted = log.trusted + step
  end
  -- A clock that was set back is trusted at once: that cannot drop messages too early.
  local is_on_trial = log.shown - log.trusted > step_ms and log.steady < trial_ms
  if not is_on_trial then log.trusted = log.shown end
  log.on_trial = is_on_trial and 1 or 0
  if log.trial_since < 0 then log.trial_since = log.head + 1 end
  if next_timestamp(log.time, log.shown) < log.time then
    log.has_new_step = true
    note_step(log.steps, { sequence = log.head + 1, before = log.time, after = log.shown })
    log.time = log.shown
    forget_dues(log)
  end
end

-- The time that counts for the age of a message. The order of the log is right, even if the clock was wrong.
local function effective_time(log, sequence, time)
  local present = log.trusted + step_ms
  if time > present then
    for _, step in ipairs(log.steps) do
      if step.sequence > sequence and step.after <= present then return step.after end
    end
    if log.on_trial == 1 and sequence >= log.trial_since then
      return math.min(log.trusted, time - (log.shown - log.trusted))
    end
    return log.trusted
  end
  local counted = time
  for _, step in ipairs(log.steps) do
    if step.sequence > sequence then break end
    if step.before <= present then counted = math.max(counted, step.before) end
  end
  return counted
end

-- The first message whose effective time is a given time or later. 'first_since(ms, from, stop)' finds the
-- first one with such a timestamp and a sequence from 'from' up to before 'stop', as its sequence and time.
local function first_effective_since(log, ms, first_since)
  local present = log.trusted + step_ms
  local from, earliest = 0, -math.huge
  for at = 1, #log.steps + 1 do
    local step = log.steps[at] or { sequence = log.head + 1, before = log.time }
    local is_in_order = at > 1 or #log.steps < clock_steps_max
    if step.before >= ms or earliest >= ms then
      local since = (earliest >= ms or not is_in_order) and -math.huge or ms
      local sequence, time = first_since(since, from, step.sequence)
      if sequence and (ms > present or not is_in_order or effective_time(log, sequence, time) >= ms) then
        return sequence
      end
    end
    if step.before <= present then earliest = math.max(earliest, step.before) end
    from = step.sequence
  end
  return nil
end
`;
