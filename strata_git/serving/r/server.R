# Answers with one R model over the Open Inference Protocol (REST, version 2), to the process that started it alone.
#
#   Rscript --vanilla server.R CONFIG.json      (CONFIG.json: see process.py; it is removed once it was read)
#
# The model's own code is model.R: load(path) and predict(model, rows), either may be missing. What is asked is data from
# beginning to end: nothing of it is evaluated, parsed as R or made into a name. One request at a time.
absent <- Filter(function(name) !requireNamespace(name, quietly = TRUE), c("httpuv", "jsonlite"))
place <- commandArgs(trailingOnly = TRUE)[[1]]
if (length(absent) > 0) {
  cat("\nstrata-r missing ", paste(absent, collapse = " "), "\n", sep = "")
  quit(status = 3)
}
config <- jsonlite::parse_json(file(place))
invisible(file.remove(place))
options(warn = 1, device = function(...) stop("a service draws nothing"))
quoted <- function(text) as.character(jsonlite::toJSON(enc2utf8(text), auto_unbox = TRUE))
say <- function(...) { cat("\n", config$mark, " ", ..., "\n", sep = ""); flush(stdout()) }

# A request may be at fault: refuse("cyl", "must be 4, 6 or 8") in model.R answers 422 and names the column.
refuse <- function(column, message) {
  stop(structure(class = c("strata_refused", "error", "condition"),
                 list(message = as.character(message), call = NULL, column = as.character(column))))
}

# Own functions are taken out of their environment: `predict(model, rows)` inside of predict is R's own again.
own <- new.env(parent = globalenv())
own$refuse <- refuse
read_model <- function(path) readRDS(file.path(path, config$artifact))
ask_model <- function(model, rows) stats::predict(model, newdata = rows)
settle <- function() {
  if (!is.null(config$code)) {
    setwd(dirname(config$code))
    sys.source(basename(config$code), envir = own, keep.source = TRUE)
  }
  for (name in c("load", "predict")) if (exists(name, own, mode = "function", inherits = FALSE)) {
    if (name == "load") read_model <<- get(name, own) else ask_model <<- get(name, own)
    rm(list = name, envir = own)
  }
  setwd(config$files)
  read_model(config$files)
}
model <- tryCatch(settle(), error = function(e) {
  called <- conditionCall(e)
  place <- if (is.null(called)) "" else paste0(" (in ", deparse(called)[[1]], ")")
  say("failed ", quoted(paste0(conditionMessage(e), place)))
  quit(status = 4)
})

# Values of one column in R's own types; null is NA. A string "NA" stays a string.
as_column <- function(tensor, field) {
  data <- tensor$data
  data[lengths(data) == 0L] <- list(NA)
  flat <- unlist(data, use.names = FALSE)
  typed <- switch(field$kind,
    integer = as.integer(flat), logical = as.logical(flat), character = as.character(flat), as.numeric(flat))
  inner <- unlist(field$inner)
  if (length(inner) == 0) return(typed)
  matrix(typed, ncol = prod(inner), byrow = TRUE)
}
as_rows <- function(inputs) {
  names(inputs) <- vapply(inputs, function(one) one$name, "")
  if (length(inputs) != length(config$inputs)) refuse("inputs", "are not those of the model")
  columns <- lapply(config$inputs, function(field) {
    if (is.null(inputs[[field$name]])) refuse(field$name, "is missing")
    as_column(inputs[[field$name]], field)
  })
  names(columns) <- vapply(config$inputs, function(field) field$name, "")
  count <- inputs[[1]]$shape[[1]]
  known <- if (is.list(model) && is.list(model$xlevels)) model$xlevels else list()  # of lm, glm and their like
  names(known) <- sub("^(as[.])?factor\\(([^()]+)\\)$", "\\2", names(known))
  for (name in intersect(names(known), names(columns))) {
    strange <- !is.na(columns[[name]]) & !(as.character(columns[[name]]) %in% known[[name]])
    if (any(strange)) refuse(name, paste0("row ", which(strange)[[1]] - 1, ": a level that the model has not seen"))
  }
  structure(columns, class = "data.frame", row.names = .set_row_names(count))
}

# One output as JSON: numbers with all their digits, NA, NaN and infinities as null.
as_json <- function(values) {
  if (is.factor(values)) values <- as.character(values)
  if (is.data.frame(values)) values <- as.matrix(values)
  if (length(dim(values)) > 1) values <- aperm(values)  # row by row
  values <- as.vector(values)
  if (is.character(values)) {
    told <- jsonlite::toJSON(enc2utf8(values), na = "null")
    return(as.character(told))
  }
  if (!is.numeric(values) && !is.logical(values)) stop("the answer is neither numbers, text nor TRUE and FALSE")
  told <- if (is.logical(values)) c("false", "true")[values + 1L] else sprintf("%.17g", as.numeric(values))
  told[!is.finite(values)] <- "null"
  paste0("[", paste(told, collapse = ","), "]")
}
as_outputs <- function(answer, count) {
  wanted <- vapply(config$outputs, function(field) field$name, "")
  if (is.data.frame(answer) || (is.list(answer) && !is.null(names(answer)))) {
    found <- lapply(wanted, function(name) answer[[name]])
  } else if (length(wanted) > 1 && !is.null(colnames(answer))) {
    found <- lapply(wanted, function(name) if (name %in% colnames(answer)) answer[, name])
  } else if (length(wanted) == 1) {
    found <- list(answer)
  } else stop("the answer must be a data frame or a list with the columns of the signature")
  told <- mapply(function(name, values) {
    if (is.null(values)) stop("the answer has no column '", name, "'")
    if (NROW(values) != count) stop("the answer '", name, "' has ", NROW(values), " values for ", count, " rows")
    shape <- paste(c(count, dim(values)[-1]), collapse = ",")
    paste0("{\"name\":", quoted(name), ",\"shape\":[", shape, "],\"data\":", as_json(values), "}")
  }, wanted, found)
  paste0("{\"outputs\":[", paste(told, collapse = ","), "]}")
}

# Where in the model's own code a call stands, of all that led to an error: " at model.R:12".
own_line <- function(calls) {
  references <- Filter(Negate(is.null), lapply(calls, attr, "srcref"))
  if (length(references) == 0) return("")
  last <- references[[length(references)]]
  paste0(" at ", basename(attr(last, "srcfile")$filename), ":", last[[1]])
}
reply <- function(status, body) {
  list(status = as.integer(status), headers = list("Content-Type" = "application/json"), body = body)
}
failure <- function(status, message, column = "") {
  reply(status, paste0("{\"error\":", quoted(message), ",\"field\":", quoted(column), "}"))
}
infer <- function(body, seconds) {
  began <- proc.time()[["elapsed"]]
  setTimeLimit(elapsed = seconds, transient = TRUE)
  on.exit(setTimeLimit())
  place <- ""
  tryCatch(withCallingHandlers({
    asked <- jsonlite::parse_json(rawToChar(body))  # (fromJSON would take a path or an address for what is meant)
    rows <- as_rows(asked$inputs)
    reply(200, as_outputs(ask_model(model, rows), nrow(rows)))
  }, error = function(e) place <<- own_line(sys.calls())), strata_refused = function(e) {
    failure(422, conditionMessage(e), e$column)
  }, error = function(e) {
    setTimeLimit()
    say("error ", quoted(paste0("predict: ", class(e)[[1]], place)))
    say("words ", quoted(conditionMessage(e)))  # these may repeat what was sent
    late <- proc.time()[["elapsed"]] - began >= seconds
    if (late) failure(504, "The model took too long.") else failure(500, "The model could not answer.")
  })
}
described <- function() {
  side <- function(fields) paste0("[", paste(vapply(fields, function(field) paste0(
    "{\"name\":", quoted(field$name), ",\"datatype\":", quoted(field$datatype), ",\"shape\":[",
    paste(c(-1, unlist(field$inner)), collapse = ","), "]}"), ""), collapse = ","), "]")
  paste0("{\"name\":", quoted(config$name), ",\"versions\":[],\"platform\":\"r\",\"inputs\":", side(config$inputs),
         ",\"outputs\":", side(config$outputs), "}")
}

base <- paste0("/v2/models/", config$name)
allowed <- function(request) {
  if (!identical(request$HTTP_STRATA_TOKEN, config$token)) failure(403, "The token is not that of this process.")
}
answered <- function(request) {
  path <- request$PATH_INFO
  if (request$REQUEST_METHOD == "POST" && path == paste0(base, "/infer")) {
    return(infer(request$rook.input$read(), as.numeric(request$HTTP_STRATA_SECONDS)))
  }
  if (request$REQUEST_METHOD != "GET") return(failure(405, "Not here."))
  if (path == "/v2/health/live") return(reply(200, "{\"live\":true}"))
  if (path %in% c("/v2/health/ready", paste0(base, "/ready"))) return(reply(200, "{\"ready\":true}"))
  if (path == base) return(reply(200, described()))
  if (path == "/v2") return(reply(200, "{\"name\":\"git-strata-r\",\"version\":\"1\",\"extensions\":[]}"))
  failure(404, "There is nothing here.")
}
server <- httpuv::startPipeServer(config$socket, strtoi("077", 8L), list(onHeaders = allowed, call = answered))

# Whoever started this process is gone: so are those who might ask.
orphaned <- function() {
  if (!file.exists("/proc/self/status")) return(!tools::pskill(config$parent, 0L))
  !(paste0("PPid:\t", config$parent) %in% readLines("/proc/self/status", warn = FALSE))
}
versions <- vapply(setdiff(loadedNamespaces(), c("compiler", "base")),
                   function(name) as.character(getNamespaceVersion(name)), "")
say("ready {\"R\":", quoted(as.character(getRversion())), ",\"packages\":{",
    paste0(vapply(names(versions), quoted, ""), ":", vapply(versions, quoted, ""), collapse = ","), "}}")
looked <- 0
while (TRUE) {
  httpuv::service(1000)
  if (proc.time()[["elapsed"]] - looked >= 1) {
    if (orphaned()) {
      file.remove(list.files(dirname(config$socket), "[.]sock$", full.names = TRUE))  # unlink() leaves sockets
      unlink(dirname(config$socket), recursive = TRUE)
      quit(status = 0)
    }
    looked <- proc.time()[["elapsed"]]
  }
}
