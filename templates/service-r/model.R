# How the model of this service is loaded, and how it answers. Either function may be left out; what stands here is what
# is done then. Packages are loaded as always, with library(name); write them into packages.txt, too.

# path: a directory with the files of the model's version, each of them verified. Called once, when the service starts.
load <- function(path) {
  readRDS(file.path(path, "{{artifact}}"))
}

# rows: a data.frame of the model's columns; null is NA. Answer one value a row, or a data.frame of the columns that the
# answer has. Of a glm, type = "response" gives probabilities. For rows that the model cannot answer:
# refuse("column", "must be ..."), and whoever asked is told so.
predict <- function(model, rows) {
  stats::predict(model, newdata = rows)
}
