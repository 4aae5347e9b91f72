# Fits a linear model, measures it on cars it has not seen, and says which columns it takes.
#   Rscript --vanilla scripts/fit.R TRAIN.csv TEST.csv DIRECTORY
arguments <- commandArgs(trailingOnly = TRUE)
train <- read.csv(arguments[[1]])
test <- read.csv(arguments[[2]])
write_json <- function(value, name) {
  jsonlite::write_json(value, file.path(arguments[[3]], name), auto_unbox = TRUE, digits = NA, pretty = TRUE)
}

# model = FALSE: the cars themselves do not go along with the model
model <- lm(mpg ~ weight + log(horsepower) + factor(cylinders) + transmission, data = train, model = FALSE)
saveRDS(model, file.path(arguments[[3]], "model.rds"))

error <- predict(model, newdata = test) - test$mpg
write_json(list(test_rmse = sqrt(mean(error^2)), test_mae = mean(abs(error))), "metrics.json")

# The columns of a request, with their types: float64, int32, string or bool. A service checks every request by them.
column <- function(name, type) list(name = name, type = type)
write_json(list(
  framework_version = as.character(getRversion()),
  inputs = list(
    column("weight", "float64"), column("horsepower", "float64"), column("cylinders", "int32"),
    column("transmission", "string")
  ),
  outputs = list(column("mpg", "float64"))
), "columns.json")
