# What the service does with the model. Two functions; either may be left out, then R's own way is taken, which is
# what stands here.

# path: a directory with the files of the version, verified. Called once, when the service starts.
load <- function(path) {
  readRDS(file.path(path, "model.rds"))
}

# rows: a data.frame with the model's columns. Answers one value a row, or a data.frame of the columns of the answer.
predict <- function(model, rows) {
  unknown <- which(!rows$cylinders %in% c(4, 6, 8))
  if (length(unknown) > 0) refuse("cylinders", "must be 4, 6 or 8")
  stats::predict(model, newdata = rows)
}
